"""BLAS held to one thread while something trains: how many it has is the process's, and decides
over last bits.
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

_one_at_a_time = threading.Lock()


@contextmanager
def one_thread() -> Iterator[None]:
    """BLAS has one thread in this block; before and after it as many as whoever else asked for.
    Threads take turns: the first to leave would give BLAS its threads back while another still
    trains.
    """
    from threadpoolctl import OpenBLASController, threadpool_limits

    with _one_at_a_time:
        # Since 3.8 the thread that set a limit first is the only one that may, and others are
        # ignored in silence.
        if hasattr(OpenBLASController, "clear_controlling_thread"):
            OpenBLASController.clear_controlling_thread(force=True)
        with threadpool_limits(1):
            yield
