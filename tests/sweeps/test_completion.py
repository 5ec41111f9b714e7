"""Completion, asked for as the shells ask, and once by a real bash."""

import io
import os
import shlex
import subprocess
import sys
from contextlib import chdir, redirect_stdout
from pathlib import Path

import pytest

from experiments.catalog import catalog
from experiments.experiment_file import load
from sweeps.cli import main
from tests.commands import SWEEPS
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


def answer(shell: str, line: str, cwd: Path, status: int = 0) -> str:
    out = io.StringIO()
    with pytest.MonkeyPatch.context() as patch, chdir(cwd), redirect_stdout(out):
        patch.setattr(sys, "argv", ["sweeps"])
        for name, value in asking(shell, line).items():
            patch.setenv(name, value)
        with pytest.raises(SystemExit) as end:
            main()
    assert end.value.code == status
    return out.getvalue()


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
    assert {"training.epochs=30", "lambdas.weight_l1.low=1e-06", "data.target="} < set(everything)
    assert [edit for edit in everything if edit != shlex.quote(edit)] == []
    load("digits", [edit for edit in everything if not edit.endswith("=")])


@pytest.mark.parametrize(
    ("shell", "offer"),
    [("zsh", """_arguments '*: :(("digits_noisy"))'"""), ("fish", "digits_noisy")],
)
def test_other_shells(shell: str, offer: str, folder: Path) -> None:
    assert answer(shell, "sweeps run digits_", folder).strip() == offer


@pytest.mark.parametrize(
    "rest",
    ["no-such-command ", "run --no-such-option x ", "status --directory /nowhere ", "run nowhere/"],
)
def test_a_line_that_is_wrong_is_no_error_yet(
    rest: str, folder: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    answer("bash", f"sweeps {rest}", folder)
    assert capfd.readouterr().err == ""


@pytest.fixture
def script(folder: Path) -> Path:
    """The script that `--show-completion` prints in a bash."""
    command = ["bash", "-c", f"{SWEEPS} --show-completion; true"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True)
    assert done.stderr == ""
    (folder / "script").write_text(done.stdout)
    return folder / "script"


@pytest.mark.parametrize(
    ("line", "more"), [("sweeps status ", {"numpy"}), ("sweeps run iris --set ", set())]
)
def test_nothing_heavy_is_imported(line: str, more: set[str], folder: Path) -> None:
    program = (
        "import atexit, sys; from sweeps.cli import main\n"
        "atexit.register(lambda: print(*sys.modules)); main()"
    )
    environ = {**os.environ, **asking("bash", line)}
    command = [sys.executable, "-c", program]
    done = subprocess.run(
        command, cwd=folder, env=environ, capture_output=True, text=True, check=True
    )
    assert (done.stderr, "sweeps.cli.completion" in done.stdout) == ("", True)
    assert not set(done.stdout.split()) & (HEAVY | more)


def test_in_a_real_bash(script: Path) -> None:
    """A word is completed, a study, an experiment and a key."""
    path = f"{Path(SWEEPS).parent}:{os.environ['PATH']}"
    environ = {**os.environ, "PATH": path, "PS1": "ready> ", "TERM": "dumb"}
    command = ["bash", "--norc", "--noprofile", "-i"]
    with terminal(command, cwd=script.parent, environ=environ) as bash:
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
