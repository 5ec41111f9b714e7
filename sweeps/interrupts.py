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
LOCKING = (
    "concurrent.futures._base",
    "logging",
    "threading",
)  # modules where one function takes a lock that another lets go
TRIES, BETWEEN = (
    20,
    0.01,
)  # times, and seconds from one to the next, that a signal waits for such a function to end


class Terminated(BaseException):
    """SIGTERM came. Not an Exception, like KeyboardInterrupt: nothing may swallow it."""


class Interrupts:
    """Raises KeyboardInterrupt or Terminated where the program waits, after a protected block where
    it writes, and a moment later where the standard library may hold a lock: what is raised there
    leaves it locked, and who ends would wait for it.
    """

    def __init__(self) -> None:
        self._protected = False
        self._pending: type[BaseException] | None = None
        self._tries, self._again = 0, False
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
        again, self._again = self._again, False
        if self._pending is None:
            self._pending = KeyboardInterrupt if number == signal.SIGINT else Terminated
            if number == signal.SIGTERM:
                _thread.start_new_thread(
                    self._end_late, ()
                )  # past threading, whose locks the interrupted code may hold
        elif number == signal.SIGINT and not again:
            _end_at_once(number)
        if self._protected:
            return
        if _may_hold_lock(frame) and self._tries < TRIES:
            self._tries += 1
            _thread.start_new_thread(self._send_again, (number,))
            return
        raise self._pending

    def _send_again(self, number: int) -> None:
        time.sleep(BETWEEN)
        if not self._over.is_set():
            self._again = True
            os.kill(os.getpid(), number)

    def _end_late(self) -> None:
        """End all the same where something does not let go: what is recorded is whole, and who
        sends SIGTERM would send SIGKILL next. Of Ctrl-C a second one does this.
        """
        if not self._over.wait(PATIENCE):
            print(
                "stopped by force; what was recorded is kept. Go on with the same command.",
                file=sys.stderr,
                flush=True,
            )
            _end_at_once(signal.SIGTERM)

    @contextmanager
    def installed(self) -> Iterator["Interrupts"]:
        """Handle the signals inside this block; outside the main thread Python gives none to
        handle.
        """
        if threading.current_thread() is not threading.main_thread():
            yield self
            return
        before = {
            number: signal.signal(number, self._handle)
            for number in (signal.SIGINT, signal.SIGTERM)
        }
        try:
            yield self
        finally:
            self._over.set()
            for number, handler in before.items():
                signal.signal(number, handler)
        if self._pending is not None:
            raise self._pending  # it came so late that it waited until here


def _may_hold_lock(frame: FrameType | None) -> bool:
    """Whether code was interrupted that may hold a lock for a moment. Where it waits for another
    thread it has let go of it.
    """
    if frame is None or frame.f_globals.get("__name__") not in LOCKING:
        return False
    waits = (
        frame.f_code is threading.Condition.wait.__code__ and "gotit" in frame.f_locals
    )  # set when it has let go
    return not waits


def _end_at_once(number: int) -> None:
    os._exit(128 + number)
