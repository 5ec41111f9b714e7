"""The worker: a Python process that works for this one, and ends with it."""

import logging
import os
import signal
import subprocess
import sys
import threading
import time
import traceback
from collections.abc import Callable
from contextlib import suppress
from multiprocessing import Pipe
from multiprocessing.connection import Connection
from typing import Any

ONE_THREAD = dict.fromkeys(
    ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS", "VECLIB_MAXIMUM_THREADS"), "1"
)
FREED = {"MALLOC_MMAP_THRESHOLD_": str(2**25), "MALLOC_TRIM_THRESHOLD_": str(2**26)}  # bytes
"""glibc keeps that much of what NumPy frees. It would give each epoch's arrays back to the system,
and ask for them again: a tenth of the time of a user's own network (`benchmarks.own_network`).
"""
SECONDS_BETWEEN_EPOCHS = 1.0  # that the driver hears of
TRIES = 3  # of a call, a trial or a start whose process died


class Worker:
    """A process that calls a function with its end of a connection; `connection` is our end.

    The function must be importable: the process imports no main module, so scripts need no guard.
    BLAS has one thread there, and Ctrl-C in a terminal does not reach it. Raises OSError.
    """

    def __init__(self, function: Callable[[Connection], None]) -> None:
        self.connection, theirs = Pipe()
        with theirs:
            program = (
                f"import sys; sys.path[:] = {sys.path!r}; from experiments.worker import main;"
                f" from {function.__module__} import {function.__name__} as function;"
                f" main(function, {theirs.fileno()})"
            )
            self._process = subprocess.Popen(
                [sys.executable, "-c", program],
                stdin=subprocess.PIPE,  # nothing is written to it: it closes when this process ends
                stdout=2,  # what a user's code starts may print: never into our tables or JSON
                pass_fds=[theirs.fileno()],
                process_group=0,
                env=FREED | os.environ | ONE_THREAD,
            )
        self.pid = self._process.pid

    @property
    def alive(self) -> bool:
        return self._process.poll() is None

    def kill(self) -> None:
        """Kill the process, with those that it started, and wait for its end, in any thread. (A
        stopped one ignores SIGTERM.)
        """
        if self._process.returncode is None:  # else its number may be another process's by now
            self._kill_group()
        self._process.wait()

    def _kill_group(self) -> None:
        with suppress(ProcessLookupError):  # it ended with the process
            os.killpg(self.pid, signal.SIGKILL)

    def end(self, patience: float = 0.0) -> int:
        """Hang up, kill the process after so many seconds, and return its exit code. What it
        started is killed too, also where the process itself has ended.
        """
        self.connection.close()
        was_known = self._process.returncode is not None
        with self._process:
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(patience)
            if not was_known:
                self._kill_group()
        return self._process.wait()

    def __del__(self) -> None:
        if hasattr(self, "_process"):  # else it could not be started
            self.end()


def main(function: Callable[[Connection], None], descriptor: int) -> None:
    """Be the process of a worker."""
    try:
        threading.Thread(target=_end_with_driver, args=(os.dup(0),), daemon=True).start()
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)  # a user's code that asks is not answered
        connection = Connection(descriptor)
        # Whom a user's code starts must not have it: while they live, our end would not be noticed.
        os.set_inheritable(descriptor, False)
        os.register_at_fork(after_in_child=connection.close)
        function(connection)
    except (ImportError, MemoryError, RuntimeError) as error:  # a limit; who started us says more
        sys.exit(f"a process of sweeps ended: {error}")


def _end_with_driver(opened: int) -> None:
    os.read(opened, 1)
    os.killpg(0, signal.SIGKILL)  # nobody is left to read a result, and a task may never return


def serve(connection: Connection) -> None:
    """Say that it is ready, then answer each call by (None, result) or (error, traceback). Before
    an answer may come what is logged, as text, and how many epochs are done.
    """
    from experiments.evaluation import after_epoch  # paid once at the start, not in the first task

    sending = threading.Lock()

    def send(message: object) -> None:
        """Send from any thread of a user's code; from a process that it forked, nothing."""
        if not connection.closed:
            with sending:
                connection.send(message)

    class Sender(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            send(self.format(record))

    log = logging.getLogger(__package__)
    log.addHandler(Sender())
    log.setLevel(logging.INFO)
    with suppress(EOFError, OSError):
        send(None)
        _log_output(log)
        while True:
            call = connection.recv()
            with after_epoch(_teller(send)):
                send(_answer(call))


def _log_output(log: logging.Logger) -> None:
    """Log what C code, and processes that a user's code starts, write to the standard streams."""
    reads, writes = os.pipe()
    for stream in (1, 2):
        os.dup2(writes, stream)
    os.close(writes)

    def read() -> None:
        with os.fdopen(reads, errors="replace") as lines:
            for line in filter(None, map(str.strip, lines)):
                log.info("%s", line)

    threading.Thread(target=read, daemon=True).start()


def _teller(send: Callable[[int], None]) -> Callable[[], None]:
    """Return what is called after each epoch: it tells how many are done, not too often."""
    done, told = 0, time.monotonic()

    def tell() -> None:
        nonlocal done, told
        done, now = done + 1, time.monotonic()
        if now - told >= SECONDS_BETWEEN_EPOCHS:
            told = now
            send(done)

    return tell


def _answer(call: Callable[[], Any]) -> tuple[Exception | None, Any]:
    try:
        return None, call()
    except Exception as error:  # raised again where it was asked for, without its traceback
        return error, "".join(traceback.format_tb(error.__traceback__))
