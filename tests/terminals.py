"""A real terminal: a program in a pseudo-terminal, what is typed into it, and what it shows."""

import contextlib
import os
import pty
import select
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

SLOWEST = 30.0  # seconds, for a program that imports, on a machine that runs other tests too


@dataclass
class Terminal:
    """The side of the terminal where a person sits; `shown` is all that was shown, with escapes."""

    descriptor: int
    process: "subprocess.Popen[bytes]"
    shown: str = ""

    def type(self, text: str) -> None:
        """Press these keys."""
        os.write(self.descriptor, text.encode())

    def wait_for(self, text: str, *, behind: int = 0) -> None:
        """Wait until this is shown, `behind` so many letters."""
        deadline = time.monotonic() + SLOWEST
        while text not in self.shown[behind:]:
            assert time.monotonic() < deadline, self.shown
            assert self._read(), self.shown

    def end(self) -> str:
        """Wait for the program to end; all that was shown."""
        while self._read():
            pass
        self.process.wait(SLOWEST)
        return self.shown

    def _read(self) -> bool:
        """Take what is there, waiting for something; False at the end."""
        assert select.select([self.descriptor], [], [], SLOWEST)[0], self.shown
        try:
            data = os.read(self.descriptor, 65536)
        except OSError:  # what Linux says when nobody is at the other side
            return False
        self.shown += data.decode(errors="replace")
        return bool(data)


@contextlib.contextmanager
def terminal(
    command: Sequence[str], *, cwd: Path, environ: Mapping[str, str] | None = None
) -> Iterator[Terminal]:
    """The program in a terminal of its own, which also is its standard output and error."""
    ours, theirs = pty.openpty()
    streams = {"stdin": theirs, "stdout": theirs, "stderr": theirs}
    with subprocess.Popen(
        command, cwd=cwd, env=environ, start_new_session=True, **streams
    ) as process:
        os.close(theirs)
        try:
            yield Terminal(ours, process)
        finally:
            process.kill()
            os.close(ours)
