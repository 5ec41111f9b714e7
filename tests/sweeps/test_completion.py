"""Completion, asked for as the shells ask, and once by a real bash."""

import os
import shlex
import subprocess
import sys
from pathlib import Path
from unittest.mock import patch

import pytest

from experiments.catalog import catalog
from experiments.experiment_file import load
from tests.commands import SWEEPS, sweeps
from tests.terminals import terminal

HEAVY = {"pandas", "scipy", "sklearn", "optuna", "mlflow", "sqlalchemy", "plotly"}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with three studies and some files."""
    folder = tmp_path_factory.mktemp("completion")
    studies = ("digits", "digits-wider", "my study")
    files = ("mine", "pyproject", "of mine", "$(touch here)", "below/other")
    names = [f"studies/{name}.journal" for name in studies] + [f"{name}.toml" for name in files]
    for name in names:
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).touch()
    return folder


def asking(shell: str, line: str) -> dict[str, str]:
    """The variables that the script of this shell sets while a line is typed."""
    words = line.split(" ")
    of_bash = {"COMP_WORDS": "\n".join(words), "COMP_CWORD": str(len(words) - 1)}
    of_others = {"_TYPER_COMPLETE_ARGS": line, "_TYPER_COMPLETE_FISH_ACTION": "get-args"}
    variables = of_bash if shell == "bash" else of_others
    return {"_SWEEPS_COMPLETE": f"complete_{shell}", **variables}


def answer(shell: str, line: str, cwd: Path) -> str:
    with patch.dict(os.environ, asking(shell, line)):
        return sweeps(cwd=cwd).stdout


def offered(line: str, cwd: Path) -> list[str]:
    return answer("bash", line, cwd).split()


def test_what_is_offered(folder: Path) -> None:
    assert offered("sweeps ", folder)[:2] == ["run", "confirm"]
    assert {"--set", "--trials", "--directory"} < set(offered("sweeps run --", folder))
    # Names that a shell would want quoted are left out, and so is a file that is no experiment.
    assert offered("sweeps run ", folder) == sorted([*catalog(), "mine.toml"])
    assert offered("sweeps run below/", folder) == ["below/other.toml"]
    assert offered("sweeps status ", folder) == ["digits", "digits-wider"]
    assert offered("sweeps run iris --study digits-", folder) == ["digits-wider"]
    there = f"sweeps status --directory {folder} d"
    assert offered(there, folder / "below") == ["digits", "digits-wider"]
    assert offered("sweeps status --storage sqlite:///studies.db ", folder) == []


def test_keys_are_offered_with_their_values(folder: Path) -> None:
    assert offered("sweeps run iris --set training.ep", folder) == [
        "training.epochs=100",
        "training.epsilon=1e-07",
    ]
    everything = offered("sweeps run --set ", folder)
    assert {"training.epochs=100", "lambdas.weight_l1.low=1e-06", "data.target="} < set(everything)
    assert [edit for edit in everything if edit != shlex.quote(edit)] == []
    load("digits", [edit for edit in everything if not edit.endswith("=")])


def test_other_shells(folder: Path) -> None:
    for shell, offer in (
        ("zsh", """_arguments '*: :(("digits_noisy"))'"""),
        ("fish", "digits_noisy"),
    ):
        assert answer(shell, "sweeps run digits_", folder).strip() == offer


def test_a_line_that_is_wrong_is_no_error_yet(
    folder: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    for rest in ("no-such ", "run --no-such x ", "status --directory /nowhere ", "run nowhere/"):
        answer("bash", f"sweeps {rest}", folder)
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize(
    ("line", "more"), [("sweeps status ", {"numpy"}), ("sweeps run iris --set ", set())]
)
def test_nothing_heavy_is_imported(line: str, more: set[str], folder: Path) -> None:
    imports = "import atexit, sys; from sweeps.cli import main"
    program = f"{imports}; atexit.register(lambda: print(*sys.modules)); main()"
    environ = {**os.environ, **asking("bash", line)}
    command = [sys.executable, "-c", program]
    done = subprocess.run(
        command, cwd=folder, env=environ, capture_output=True, text=True, check=True
    )
    assert (done.stderr, "sweeps.cli.completion" in done.stdout) == ("", True)
    assert not set(done.stdout.split()) & (HEAVY | more)


def test_in_a_real_bash(folder: Path) -> None:
    """A word is completed, a study, an experiment and a key, by the script for bash."""
    path = f"{Path(SWEEPS).parent}:{os.environ['PATH']}"
    environ = {**os.environ, "PATH": path, "PS1": "ready> ", "TERM": "dumb"}
    command = ["bash", "--norc", "--noprofile", "-i"]
    with terminal(command, cwd=folder, environ=environ) as bash:
        bash.wait_for("ready> ")
        bash.type('eval "$(sweeps --show-completion)"\n')
        bash.wait_for("ready> ", behind=len(bash.shown))
        for typed, shown in (
            ("sweeps rep\t", "sweeps report "),
            ("digits-\t", "sweeps report digits-wider "),
            ("\x15sweeps run digits_\t", "sweeps run digits_noisy "),  # Ctrl-U: an empty line
            ("--set training.epo\t", "--set training.epochs=100 "),  # as digits_noisy has it
        ):
            bash.type(typed)
            bash.wait_for(shown)
