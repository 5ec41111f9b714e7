"""What a user's code runs in: it is alone there, as in a process of its own."""

import contextlib
import io
import logging
import random
import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np

logger = logging.getLogger(__name__)

one_at_a_time = threading.RLock()
"""Held while a network is loaded or trained: modules, random states, the directory and standard
output are the process's, and a worker of a cluster may have several threads."""


@contextlib.contextmanager
def alone(directory: str, seed: int) -> Iterator[None]:
    """Run the user's code of the block with random states of its own, in its directory; what it
    prints goes to the log.
    """
    with contextlib.ExitStack() as stack:
        stack.enter_context(one_at_a_time)
        stack.callback(random.setstate, random.getstate())
        stack.callback(np.random.set_state, np.random.get_state())  # noqa: NPY002  # users' code
        if Path(directory).is_dir():  # it may not be there, on another machine
            stack.enter_context(contextlib.chdir(directory))
        log = _Log()
        stack.callback(log.end)
        stack.enter_context(contextlib.redirect_stdout(log))
        stack.enter_context(contextlib.redirect_stderr(log))
        random.seed(seed)
        np.random.seed(seed)  # noqa: NPY002  # users' code uses it
        yield


class _Log(io.TextIOBase):
    """A file whose lines go to the log."""

    def __init__(self) -> None:
        self._begun = ""

    def write(self, text: str) -> int:
        *lines, self._begun = (self._begun + text).replace("\r", "\n").split("\n")
        for line in filter(None, map(str.strip, lines)):
            logger.info("%s", line)
        return len(text)

    def end(self) -> None:
        self.write("\n")
