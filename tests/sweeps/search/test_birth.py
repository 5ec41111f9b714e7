"""The birth of a study: what its provenance says, and what it does not."""

import subprocess
from pathlib import Path

import pytest

from sweeps.search.birth import LONGEST, command, commit
from tests.needs import needs_program

CANARY = "s3cret-canary"


def git(folder: Path, *arguments: str) -> str:
    identity = ["-c", "user.name=somebody", "-c", "user.email=somebody@example.org"]
    command = [needs_program("git"), *identity, *arguments]
    return subprocess.check_output(command, cwd=folder, text=True).strip()


def test_the_commit_is_that_of_where_one_stands(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    monkeypatch.chdir(tmp_path)
    assert commit() == ""
    git(tmp_path, "init", "--quiet")
    assert commit() == ""  # nothing is committed yet
    git(tmp_path, "commit", "--quiet", "--allow-empty", "--message", "first")
    assert commit() == git(tmp_path, "rev-parse", "HEAD")
    monkeypatch.setenv("PATH", str(tmp_path))
    assert commit() == ""  # there is no git


def test_the_command_is_as_one_would_type_it_again() -> None:
    typed = ["/somewhere/bin/sweeps", "run", "my rows.toml", "--trials", "50"]
    assert command(typed) == "sweeps run 'my rows.toml' --trials 50"


def test_the_arguments_of_another_program_are_none_of_ours() -> None:
    assert command(["/home/somebody/train.py", "--password", CANARY]) == "train.py"
    assert command([]) == command([""]) == "python"


@pytest.mark.parametrize(
    "argument",
    [
        f"postgresql+psycopg://me:{CANARY}@host/db",
        f"--storage=postgresql+psycopg://me:{CANARY}@host/db",
        f"--tracking-uri=https://{CANARY}@host",
        f"me:{CANARY}@host",
    ],
)
def test_a_command_has_no_password(argument: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_PASSWORD", CANARY)
    assert CANARY not in command(["sweeps", "run", "iris", argument])


def test_any_command_can_be_kept() -> None:
    assert len(command(["sweeps", "run", "x" * 5_000])) == LONGEST
    command(["sweeps", "run", "\udcff"]).encode()
