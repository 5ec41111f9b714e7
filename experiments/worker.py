"""The worker: a spawned process that evaluates tasks, and ends with the process that started it."""

import os
import signal
import threading
from multiprocessing import parent_process
from multiprocessing.connection import wait

import experiments.evaluation  # noqa: F401  # paid once at the start, not in the first task


def start() -> None:
    """Make this process a worker: the initializer of every pool."""
    # Ctrl-C in a terminal reaches the whole process group; who ends the workers is the driver.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    parent = parent_process()
    if parent is not None:
        wait([parent.sentinel])
        os._exit(1)  # nobody is left to read a result: no clean-up is owed, and a task may never return
