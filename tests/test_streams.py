"""Standard streams that are closed or full, limits of the system, and folders with odd names: one
sentence, or a run.
"""

import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.datasets import load_iris

from experiments.wording import command_line
from tests.commands import SWEEPS, sweeps

RUN = f"'{SWEEPS}' run iris --trials 2 --set training.epochs=2 --no-confirm --workers 2"


def in_shell(command: str, cwd: Path) -> "subprocess.CompletedProcess[str]":
    """Run a line of bash, which is to end in time."""
    shell = ["bash", "-c", command]
    return subprocess.run(shell, cwd=cwd, capture_output=True, text=True, timeout=120)


@pytest.mark.usefixtures("tracker_here")
def test_a_run_without_any_stream_is_whole(tmp_path: Path) -> None:
    """Files and pipes would get their numbers, and what is printed. No library may warn either."""
    folder = tmp_path / """it's "mine"\nand ä"""
    folder.mkdir()
    done = in_shell(f"PYTHONWARNINGS=error {RUN} <&- >&- 2>&-", folder)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    (_, line) = sweeps("status", cwd=folder).stdout.splitlines()
    assert line.split()[2] == "2/2"
    assert line.endswith("all there")
    # The command that is printed for elsewhere can be pasted.
    finding = sweeps("doctor", "--directory", str(folder), cwd=tmp_path).stdout
    assert "WRONG" not in finding
    (folder / "reports" / "iris" / "trials.csv").unlink()
    finding = sweeps("doctor", "--directory", str(folder), cwd=tmp_path, status=1).stdout
    (command,) = [text for text in finding.splitlines() if "sweeps export" in text]
    pasted = command.partition("sweeps ")[2]
    assert in_shell(f"'{SWEEPS}' {pasted}", tmp_path).returncode == 0
    assert (folder / "reports" / "iris" / "trials.csv").exists()


@given(st.lists(st.text(st.sampled_from("ab ä'\"\\\n$`!*()"), max_size=8), max_size=4))
def test_a_command_can_be_pasted_into_a_shell(words: list[str]) -> None:
    line = command_line(*words)
    assert "\n" not in line
    done = in_shell(f"sweeps() {{ printf '%s\\0' \"$@\"; }}; {line}", Path())
    assert done.stdout == "".join(f"{word}\0" for word in words or [""])


def test_the_command_that_new_prints_names_its_file(tmp_path: Path) -> None:
    frame = load_iris(as_frame=True).frame
    frame.to_csv(tmp_path / "my data (1).csv", index=False)
    done = sweeps("new", "my data (1).csv", "--target", "target", cwd=tmp_path)
    assert done.stdout.endswith(": sweeps run 'my data (1).toml'\n")


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
