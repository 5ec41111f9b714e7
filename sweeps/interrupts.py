"""The interrupts: Ctrl-C and SIGTERM end a sweep between two records, never inside one."""

import _thread
import os
import signal
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

PATIENCE = 20.0  # seconds that it may take to end after SIGTERM; it takes one or two


class Terminated(BaseException):
    """SIGTERM came. Not an Exception, like KeyboardInterrupt: nothing may swallow it."""


class Interrupts:
    """Raises KeyboardInterrupt or Terminated where the program waits, and after a protected block where it writes."""

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

    def pause(self, seconds: float) -> None:
        """Sleep. A signal ends it at once, in a protected block too: nothing is written meanwhile."""
        protected, self._protected = self._protected, False
        try:
            if self._pending is not None:
                raise self._pending
            time.sleep(seconds)
        finally:
            self._protected = protected

    def _handle(self, number: int, frame: FrameType | None) -> None:
        if number == signal.SIGINT:
            signal.signal(signal.SIGINT, _end_at_once)
        else:
            _thread.start_new_thread(self._end_late, ())  # past threading, whose locks the interrupted code may hold
        self._pending = KeyboardInterrupt if number == signal.SIGINT else Terminated
        if not self._protected:
            raise self._pending

    def _end_late(self) -> None:
        """End all the same where something does not let go: what is recorded is whole, and who sends SIGTERM would send SIGKILL
        next. Of Ctrl-C a second one does this.
        """
        if not self._over.wait(PATIENCE):
            print("stopped by force; what was recorded is kept. Go on with the same command.", file=sys.stderr, flush=True)
            _end_at_once(signal.SIGTERM, None)

    @contextmanager
    def installed(self) -> Iterator["Interrupts"]:
        """Handle the signals inside this block; outside the main thread Python gives none to handle."""
        if threading.current_thread() is not threading.main_thread():
            yield self
            return
        before = {number: signal.signal(number, self._handle) for number in (signal.SIGINT, signal.SIGTERM)}
        try:
            yield self
        finally:
            self._over.set()
            for number, handler in before.items():
                signal.signal(number, handler)


def _end_at_once(number: int, frame: FrameType | None) -> None:
    os._exit(128 + number)
