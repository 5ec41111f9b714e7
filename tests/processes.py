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


def spawned(parent: int | None = None) -> list[psutil.Process]:
    """The processes that multiprocessing has started for this process, or for the one with this id,
    and that have not ended.
    """
    found = []
    for child in psutil.Process(parent).children():
        with contextlib.suppress(psutil.Error):  # it has just ended; it need not be one of those
            if "spawn_main" in " ".join(child.cmdline()):
                found.append(child)
    return found
