"""The console command: in this process, which has imported what it needs, or in one of its own,
which takes seconds for that.
"""

import contextlib
import io
import subprocess
import sys
from pathlib import Path
from unittest.mock import patch

import pytest

from sweeps.cli import main

SWEEPS = str(Path(sys.executable).with_name("sweeps"))
Done = subprocess.CompletedProcess[str]


def sweeps(*arguments: str, cwd: Path, status: int = 0) -> Done:
    """Run the command in this process; it must end with this status."""
    return checked(carried_out(*arguments, cwd=cwd), status)


def carried_out(*arguments: str, cwd: Path) -> Done:
    """Run the command in this process, whatever its status."""
    out, error = io.StringIO(), io.StringIO()
    command = ["sweeps", *arguments]
    with (
        contextlib.chdir(cwd),
        patch.object(sys, "argv", command),
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(error),
        pytest.raises(SystemExit) as end,
    ):
        main()
    assert isinstance(end.value.code, int)
    return Done(command, end.value.code, out.getvalue(), error.getvalue())


def sweeps_process(*arguments: str, cwd: Path, status: int = 0) -> Done:
    """Run the installed command in a process of its own."""
    command = [SWEEPS, *arguments]
    return checked(subprocess.run(command, cwd=cwd, capture_output=True, text=True), status)


def checked(done: Done, status: int) -> Done:
    assert done.returncode == status, done.stderr
    assert "Traceback" not in done.stderr
    return done
