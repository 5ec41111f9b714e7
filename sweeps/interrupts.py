"""The interrupts: Ctrl-C and SIGTERM end a sweep between two records, never inside one."""

import _thread
import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

PATIENCE = 20.0  # seconds that ending may take; it takes one or two


class Terminated(BaseException):
    """SIGTERM came. Not an Exception, like KeyboardInterrupt: nothing may swallow it."""


class Interrupts:
    """Raises KeyboardInterrupt or Terminated where the program is, or at the end of a protected
    block. A second Ctrl-C, or 20 s in which the program has not ended, end it by force.
    """

    def __init__(self) -> None:
        self._protected = False
        self._pending: type[BaseException] | None = None
        self._over = threading.Event()

    @contextmanager
    def protected(self) -> Iterator[None]:
        """A block that a signal does not break; the signal is raised at its end."""
        self._protected = True
        try:
            yield
        finally:
            self._protected = False
        if self._pending is not None:
            raise self._pending

    def _handle(self, number: int, frame: FrameType | None) -> None:
        if self._pending is not None:
            return
        # The second one is the system's: Python may not get to a handler in what it waits for.
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        self._pending = KeyboardInterrupt if number == signal.SIGINT else Terminated
        # Not by `threading`, whose locks the interrupted code may hold.
        _thread.start_new_thread(self._end_late, (number,))
        if not self._protected:
            raise self._pending

    def _end_late(self, number: int) -> None:
        """End by force where something does not let go, as a lock that a signal left locked."""
        if not self._over.wait(PATIENCE):
            print(
                "stopped by force; what was recorded is kept. Continue with the same command.",
                file=sys.stderr,
                flush=True,
            )
            os._exit(128 + number)

    @contextmanager
    def installed(self) -> Iterator["Interrupts"]:
        """Handle the signals inside this block. Only the main thread gets them."""
        if threading.current_thread() is not threading.main_thread():
            yield self
            return
        numbers = (signal.SIGINT, signal.SIGTERM)
        before = [signal.signal(number, self._handle) for number in numbers]
        try:
            yield self
        finally:
            self._over.set()
            for number, handler in zip(numbers, before, strict=True):
                signal.signal(number, handler)
