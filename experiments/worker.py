"""The worker: a spawned process that works for this one, and ends with it."""

import os
import signal
import sys
import threading
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from multiprocessing import parent_process, resource_tracker
from multiprocessing.connection import Connection, wait
from types import ModuleType
from typing import Any

import experiments.evaluation  # paid once at the start, not in the first task  # noqa: F401

THREAD_VARIABLES = (
    "OPENBLAS_NUM_THREADS",
    "OMP_NUM_THREADS",
    "MKL_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
)
_one_at_a_time = threading.Lock()


def start() -> None:
    """Make this process a worker: the first thing that it does."""
    signal.signal(
        signal.SIGINT, signal.SIG_IGN
    )  # as `spawning` has it where it can; who ends the workers is the driver
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    parent = parent_process()
    if parent is not None:
        wait([parent.sentinel])
        os._exit(
            1
        )  # nobody is left to read a result: no clean-up is owed, and a task may never return


def serve(connection: Connection) -> None:
    """Be a worker: say so with a first message, then make the calls that come, one at a time, until
    nobody is there to ask.

    Each is answered by (None, result), or by (error, its traceback as text).
    """
    start()
    with suppress(EOFError, OSError):
        connection.send(None)
        while True:
            connection.send(_answer(connection.recv()))


def _answer(call: Callable[[], Any]) -> tuple[Exception | None, Any]:
    try:
        return None, call()
    except (
        Exception
    ) as error:  # raised again where it was asked for; a traceback does not travel with it
        return error, "".join(traceback.format_tb(error.__traceback__))


@contextmanager
def spawning() -> Iterator[None]:
    """What is spawned in this block has one BLAS thread, no main module, and no ear for Ctrl-C. One
    thread at a time is in it: multiprocessing's resource tracker, which every start needs, is not
    safe to use from two (seen once in CI: EBADF while one restarted it).
    """
    with _one_at_a_time, _one_blas_thread(), _no_main_module(), _deaf_to_interrupts():
        yield


@contextmanager
def _one_blas_thread() -> Iterator[None]:
    """BLAS reads these variables when NumPy is first imported: they must be there before the child
    starts.
    """
    before = {name: os.environ.get(name) for name in THREAD_VARIABLES}
    os.environ.update(dict.fromkeys(THREAD_VARIABLES, "1"))
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


@contextmanager
def _deaf_to_interrupts() -> Iterator[None]:
    """Ctrl-C in a terminal reaches the whole process group, and a child that still imports would
    answer with a traceback. What this thread blocks is blocked in its children from their first
    instruction.
    """
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    resource_tracker.ensure_running()  # here, because to start it lifts the block again
    before = signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT])
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


@contextmanager
def _no_main_module() -> Iterator[None]:
    """Spawn imports the parent's main module in the child. No task of ours lives there, and a
    user's script would be run again by it (hence the usual `if __name__ == "__main__"`), or the
    whole command line imported: so the child is shown none.
    """
    main = sys.modules["__main__"]
    sys.modules["__main__"] = ModuleType("__main__")
    try:
        yield
    finally:
        sys.modules["__main__"] = main
