"""Standard streams that are closed or full, and limits of the system: one sentence, or a run."""

import subprocess
from pathlib import Path

import pytest

from tests.commands import SWEEPS, sweeps

RUN = f"'{SWEEPS}' run iris --trials 2 --set training.epochs=2 --no-confirm --workers 2"


def in_shell(command: str, cwd: Path) -> "subprocess.CompletedProcess[str]":
    """Run a line of bash, which is to end in time."""
    shell = ["bash", "-c", command]
    return subprocess.run(shell, cwd=cwd, capture_output=True, text=True, timeout=120)


@pytest.mark.usefixtures("tracker_here")
def test_a_run_without_any_stream_is_whole(tmp_path: Path) -> None:
    """Files and pipes would get their numbers, and what is printed. No library may warn either."""
    done = in_shell(f"PYTHONWARNINGS=error {RUN} <&- >&- 2>&-", tmp_path)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    (_, line) = sweeps("status", cwd=tmp_path).stdout.splitlines()
    assert line.split()[2] == "2/2"
    assert line.endswith("all there")


@pytest.mark.parametrize("closed", [">&-", "2>&-", "<&- >&-", "2>/dev/full"])
def test_the_status_is_right_whichever_stream_is_missing(closed: str, tmp_path: Path) -> None:
    done = in_shell(f"'{SWEEPS}' report nothing {closed}", tmp_path)
    assert done.returncode == 2
    assert done.stdout == ""
    assert ("there is no study yet" in done.stderr) == ("2>" not in closed)


def test_a_limit_that_leaves_no_room_is_named_at_once(tmp_path: Path) -> None:
    """SciPy's OpenBLAS would ask for memory for ever."""
    done = in_shell(f"ulimit -v 250000; {RUN}", tmp_path)
    assert done.returncode == 1
    assert done.stderr.startswith("sweeps: the limit on address space is 244 MB, and at least ")
    assert done.stderr.count("\n") == 1
