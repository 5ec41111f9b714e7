"""Processes that a test starts or looks at."""

import contextlib
import subprocess
from collections.abc import Iterator, Sequence
from typing import Any

import psutil


@contextlib.contextmanager
def started(command: Sequence[str], **options: Any) -> "Iterator[subprocess.Popen[str]]":
    """A process whose output is read. One that has not ended by the end of the block is killed, and
    not waited for.
    """
    pipes: dict[str, Any] = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    with subprocess.Popen(command, **pipes | options) as process:
        try:
            yield process
        finally:
            process.kill()


def spawned(parent: int | None = None, program: str = "experiments.worker") -> list[psutil.Process]:
    """The workers that this process, or the one with this id, has started and that have not ended;
    a nanny of Dask's starts them by another `program`.
    """
    found = []
    for child in psutil.Process(parent).children():
        with contextlib.suppress(psutil.Error):  # it has just ended; it need not be one of those
            if program in " ".join(child.cmdline()):
                found.append(child)
    return found
