"""What surrounds an evaluation in its process: a call after each epoch, one thread for BLAS."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

AfterEpoch = Callable[[], object]

_after_epoch: ContextVar[AfterEpoch | None] = ContextVar("after_epoch", default=None)


@contextmanager
def after_epoch(call: AfterEpoch) -> Iterator[None]:
    """Call this after each epoch of what this thread evaluates in the block."""
    token = _after_epoch.set(call)
    try:
        yield
    finally:
        _after_epoch.reset(token)


def called_after_epoch() -> AfterEpoch | None:
    """Return what is to be called after each epoch of what this thread evaluates."""
    return _after_epoch.get()


_one_at_a_time = threading.Lock()


@contextmanager
def one_thread() -> Iterator[None]:
    """Give BLAS one thread, as in a worker; blocks of several threads take turns."""
    from threadpoolctl import OpenBLASController, threadpool_limits

    with _one_at_a_time:
        # Since 3.8 only the thread that set a limit first may set one; others are ignored silently.
        if hasattr(OpenBLASController, "clear_controlling_thread"):
            OpenBLASController.clear_controlling_thread(force=True)
        with threadpool_limits(1):
            yield
