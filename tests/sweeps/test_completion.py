"""Completion, asked for as the shells ask, and once by a real bash."""

import os
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from experiments.catalog import catalog
from experiments.experiment_file import load
from tests.terminals import terminal

SWEEPS = Path(sys.executable).with_name("sweeps")
HEAVY = {"pandas", "scipy", "sklearn", "optuna", "mlflow", "sqlalchemy", "plotly"}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with three studies and some files."""
    folder = tmp_path_factory.mktemp("completion")
    for name in (
        "studies/digits.journal",
        "studies/digits-wider.journal",
        "studies/my study.journal",
    ):
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).touch()
    (folder / "below").mkdir()
    for name in (
        "mine.toml",
        "pyproject.toml",
        "of mine.toml",
        "$(touch here).toml",
        "below/other.toml",
    ):
        (folder / name).touch()
    return folder


def ask(shell: str, line: str, cwd: Path, **more: str) -> "subprocess.CompletedProcess[str]":
    """What the script of this shell runs while a line is typed."""
    words = line.split(" ")
    of_bash = {"COMP_WORDS": "\n".join(words), "COMP_CWORD": str(len(words) - 1)}
    variables = (
        of_bash
        if shell == "bash"
        else {"_TYPER_COMPLETE_ARGS": line, "_TYPER_COMPLETE_FISH_ACTION": "get-args"}
    )
    environ = {**os.environ, "_SWEEPS_COMPLETE": f"complete_{shell}", **variables, **more}
    return subprocess.run([SWEEPS], cwd=cwd, env=environ, capture_output=True, text=True)


def offered(line: str, cwd: Path) -> list[str]:
    done = ask("bash", line, cwd)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout.split("\n")[:-1] if done.stdout.strip() else []


def test_what_is_offered(folder: Path) -> None:
    assert offered("sweeps ", folder)[:2] == ["run", "confirm"]
    assert {"--set", "--trials", "--directory"} < set(offered("sweeps run --", folder))
    # Names that a shell would want quoted are left out, and so is a file that is no experiment.
    assert offered("sweeps run ", folder) == sorted([*catalog(), "mine.toml"])
    assert offered("sweeps run below/", folder) == ["below/other.toml"]
    assert offered("sweeps status ", folder) == ["digits", "digits-wider"]
    assert offered("sweeps run iris --study digits-", folder) == ["digits-wider"]
    assert offered(f"sweeps status --directory {folder} d", folder / "below") == [
        "digits",
        "digits-wider",
    ]
    assert offered("sweeps status --storage sqlite:///studies.db ", folder) == []


def test_keys_are_offered_with_their_values(folder: Path) -> None:
    assert offered("sweeps run iris --set training.ep", folder) == [
        "training.epochs=100",
        "training.epsilon=1e-07",
    ]
    everything = offered("sweeps run --set ", folder)
    assert "training.epochs=30" in everything
    assert "lambdas.weight_l1.low=1e-06" in everything
    assert "data.target=" in everything
    assert [edit for edit in everything if edit != shlex.quote(edit)] == []
    for edit in everything:  # all that is offered whole may be given
        if not edit.endswith("="):
            load("digits", [edit])


@pytest.mark.parametrize("shell", ["zsh", "fish"])
def test_other_shells(shell: str, folder: Path) -> None:
    done = ask(shell, "sweeps run digits_", folder)
    assert (done.returncode, done.stderr) == (0, "")
    assert (
        done.stdout.strip()
        == {"zsh": """_arguments '*: :(("digits_noisy"))'""", "fish": "digits_noisy"}[shell]
    )


@pytest.mark.parametrize(
    "line",
    [
        "sweeps no-such-command ",
        "sweeps run --no-such-option x ",
        "sweeps status --directory /nowhere ",
        "sweeps run no-such.toml --set ",
        "sweeps run nowhere/",
    ],
)
def test_a_line_that_is_wrong_is_no_error_yet(line: str, folder: Path) -> None:
    done = ask("bash", line, folder)
    assert (done.returncode, done.stderr) == (0, "")


def test_a_shell_is_never_told_of_errors(folder: Path) -> None:
    done = ask("bash", "sweeps ", folder, COMP_CWORD="nonsense")
    assert (done.returncode, done.stdout, done.stderr) == (1, "", "")


@pytest.mark.parametrize(
    ("line", "more"), [("sweeps status ", {"numpy", "pydantic"}), ("sweeps run iris --set ", set())]
)
def test_nothing_heavy_is_imported(line: str, more: set[str], folder: Path) -> None:
    program = (
        "import sys; from sweeps.cli import main\ntry:\n    main()\nexcept SystemExit:\n   "
        " print(*sys.modules)"
    )
    words = line.split(" ")
    environ = {
        **os.environ,
        "_SWEEPS_COMPLETE": "complete_bash",
        "COMP_WORDS": "\n".join(words),
        "COMP_CWORD": str(len(words) - 1),
    }
    command = [sys.executable, "-c", program]
    done = subprocess.run(
        command, cwd=folder, env=environ, capture_output=True, text=True, check=True
    )
    loaded = set(done.stdout.split())
    assert "sweeps.cli.completion" in loaded
    assert not loaded & (HEAVY | more)


def test_in_a_real_bash(folder: Path) -> None:
    """The script that `--show-completion` prints, sourced; a word is completed, a study, an
    experiment and a key.
    """
    environ = {
        **os.environ,
        "PATH": f"{SWEEPS.parent}:{os.environ['PATH']}",
        "PS1": "ready> ",
        "TERM": "dumb",
    }
    script = subprocess.run(
        ["bash", "-c", "sweeps --show-completion; true"],
        cwd=folder,
        env=environ,
        capture_output=True,
        text=True,
        check=True,
    )
    assert script.stderr == ""
    (folder / "script").write_text(script.stdout)
    with terminal(["bash", "--norc", "--noprofile", "-i"], cwd=folder, environ=environ) as bash:
        bash.wait_for("ready> ")
        bash.type("source ./script\n")
        bash.wait_for("ready> ", behind=len(bash.shown))
        bash.type("sweeps rep\t")
        bash.wait_for("sweeps report ")
        bash.type("digits-\t")
        bash.wait_for("sweeps report digits-wider ")
        bash.type("\x15")  # Ctrl-U: the line is empty again
        bash.type("sweeps run digits_\t")
        bash.wait_for("sweeps run digits_noisy ")
        bash.type("--set training.epo\t")
        bash.wait_for("--set training.epochs=100 ")  # as digits_noisy has it
