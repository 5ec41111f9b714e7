"""Bad input from the outside: one sentence that names file, key and value, the right status, and
nothing left behind.
"""

import os
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from sweeps.cli import main

Command = Callable[..., tuple[int, str]]


@pytest.fixture
def sweeps(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], tmp_path: Path
) -> Command:
    """The console command in this process: (exit status, standard error), in a fresh folder."""
    monkeypatch.chdir(tmp_path)

    def command(*arguments: str) -> tuple[int, str]:
        monkeypatch.setattr(sys, "argv", ["sweeps", *arguments])
        with pytest.raises(SystemExit) as end:
            main()
        assert isinstance(end.value.code, int)
        return end.value.code, capfd.readouterr().err

    return command


def contents(folder: Path) -> dict[str, bytes | None]:
    return {
        str(path.relative_to(folder)): path.read_bytes() if path.is_file() else None
        for path in sorted(folder.rglob("*"))
    }


def refused(sweeps: Command, *arguments: str, status: int = 2, says: tuple[str, ...]) -> str:
    """Run the command; it must end with this status and one sentence that holds all of `says`, and
    change nothing.
    """
    before = contents(Path.cwd())
    code, error = sweeps(*arguments)
    assert code == status, error
    assert len(error.splitlines()) == 1, error
    assert error.startswith("sweeps: ")
    assert "Traceback" not in error
    for words in says:
        assert words in error
    assert contents(Path.cwd()) == before
    return error


EXPERIMENTS = {
    "syntax": ('name = "x"\n[data\n', ("line 2", "column")),
    "unknown key": ('name = "x"\nepochs = 3\n[data]\nsource = "iris"\n', ("epochs", "3")),
    "misspelt key": (
        'name = "x"\n[data]\nsource = "iris"\n[training]\nepoch = 3\n',
        ("training.epoch", "3", "'epochs'"),
    ),
    "misspelt section": (
        'name = "x"\n[data]\nsource = "iris"\n[trainning]\nepochs = 3\n',
        ("trainning", "'training'"),
    ),
    "no name": ('[data]\nsource = "iris"\n', ("name", "missing")),
    "no data": ('name = "x"\n', ("data", "missing")),
    "low above high": (
        'name = "x"\n[data]\nsource = "iris"\n[lambdas]\nweight_l1 = { low = 0.1, high = 0.01 }\n',
        ("lambdas.weight_l1", "0.1", "0.01"),
    ),
    "low equals high": (
        'name = "x"\n[data]\nsource = "iris"\n[lambdas]\nweight_l1 = { low = 0.1, high = 0.1 }\n',
        ("lambdas.weight_l1", "0.1"),
    ),
    "low is zero": (
        'name = "x"\n[data]\nsource = "iris"\n[lambdas]\nbias_l1 = { low = 0, high = 0.1 }\n',
        ("lambdas.bias_l1", "low is 0", "low > 0", "write 0"),
    ),
    "misspelt bound": (
        'name = "x"\n[data]\nsource = "iris"\n[lambdas]\nbias_l1 = { lo = 0.1, high = 0.1 }\n',
        ("lambdas.bias_l1.lo", "'low'"),
    ),
    "negative lambda": (
        'name = "x"\n[data]\nsource = "iris"\n[lambdas]\nweight_l2 = -0.5\n',
        ("lambdas.weight_l2", "-0.5"),
    ),
    "NaN lambda": (
        'name = "x"\n[data]\nsource = "iris"\n[lambdas]\nweight_l2 = nan\n',
        ("lambdas.weight_l2", "nan"),
    ),
    "infinite lambda": (
        'name = "x"\n[data]\nsource = "iris"\n[lambdas]\nweight_l2 = inf\n',
        ("lambdas.weight_l2", "inf"),
    ),
    "infinite bound": (
        'name = "x"\n[data]\nsource = "iris"\n[lambdas]\nweight_l2 = { low = 0.1, high = inf }\n',
        ("lambdas.weight_l2.high", "inf"),
    ),
    "text for a lambda": (
        'name = "x"\n[data]\nsource = "iris"\n[lambdas]\nweight_l2 = "much"\n',
        ("lambdas.weight_l2", "'much'"),
    ),
    "no trials": (
        'name = "x"\n[data]\nsource = "iris"\n[sweep]\ntrials = 0\n',
        ("sweep.trials", "0"),
    ),
    "no epochs": (
        'name = "x"\n[data]\nsource = "iris"\n[training]\nepochs = 0\n',
        ("training.epochs", "0"),
    ),
    "text for a number": (
        'name = "x"\n[data]\nsource = "iris"\n[training]\nepochs = "30"\n',
        ("training.epochs", "'30'"),
    ),
    "a flag for a number": (
        'name = "x"\n[data]\nsource = "iris"\n[training]\nepochs = true\n',
        ("training.epochs", "True"),
    ),
    "odd batch size": (
        'name = "x"\n[data]\nsource = "iris"\n[training]\nbatch_size = "half"\n',
        ("training.batch_size", "'half'"),
    ),
    "unknown optimizer": (
        'name = "x"\n[data]\nsource = "iris"\n[training]\noptimizer = "adamw"\n',
        ("training.optimizer", "'adamw'"),
    ),
    "no neurons": (
        'name = "x"\n[data]\nsource = "iris"\n[model]\nhidden = [0]\n',
        ("model.hidden.0", "0"),
    ),
    "shares leave nothing": (
        'name = "x"\n[data]\nsource = "iris"\nsplit = { val = 0.5, test = 0.5 }\n',
        ("data.split", "0.5", "nothing to train on"),
    ),
    "no validation": (
        'name = "x"\n[data]\nsource = "iris"\nsplit = { val = 0 }\n',
        ("data.split.val", "greater than 0"),
    ),
    "total_loss": (
        'name = "x"\n[data]\nsource = "iris"\n[sweep]\nobjective = "total_loss"\n',
        ("sweep.objective", "total_loss", "switching the penalty off", "val_accuracy"),
    ),
    "unknown objective": (
        'name = "x"\n[data]\nsource = "iris"\n[sweep]\nobjective = "f1"\n',
        ("sweep.objective", "'f1'"),
    ),
    "unknown sampler": (
        'name = "x"\n[data]\nsource = "iris"\n[sweep]\nsampler = "gp"\n',
        ("sweep.sampler", "'gp'"),
    ),
    "unknown data": (
        'name = "x"\n[data]\nsource = "irish"\n',
        ("data.source", "'irish'", "'iris'"),
    ),
    "a file that is not there": (
        'name = "x"\n[data]\nsource = "rows.csv"\n',
        ("data.source", "rows.csv", "No such file"),
    ),
    "a file of another kind": (
        'name = "x"\n[data]\nsource = "rows.xlsx"\n',
        ("data.source", "rows.xlsx"),
    ),
    "name with a slash": ('name = "a/b"\n[data]\nsource = "iris"\n', ("name", "'a/b'", "slash")),
    "name that climbs": ('name = ".."\n[data]\nsource = "iris"\n', ("name", "'..'")),
    "empty name": ('name = ""\n[data]\nsource = "iris"\n', ("name", "''")),
    "long name": (f'name = "{"x" * 300}"\n[data]\nsource = "iris"\n', ("name", "300")),
}


@pytest.mark.parametrize("case", EXPERIMENTS)
def test_an_experiment_file(sweeps: Command, case: str) -> None:
    text, says = EXPERIMENTS[case]
    Path("mine.toml").write_text(text)
    refused(sweeps, "run", "mine.toml", says=("mine.toml", *says))


ROWS = [f"{i},{i % 7},{'ab'[i % 2]}" for i in range(40)]
TABLES: dict[str, tuple[str | bytes, tuple[str, ...]]] = {
    "target is not there": ("x,z,label\n" + "\n".join(ROWS), ("'y'", "'x', 'z', 'label'")),
    "one class": ("x,z,y\n" + "\n".join(f"{i},{i % 7},a" for i in range(40)), ("y", "a")),
    "a class of one row": ("x,z,y\n" + "\n".join([*ROWS, "41,3,rare"]), ("y", "rare", "1")),
    "no rows": ("x,z,y\n", ("no rows",)),
    "nothing": ("", ("empty",)),
    "ragged": ("x,z,y\n" + "\n".join([*ROWS[:20], "1,2,a,4,5", *ROWS[20:]]), ("22",)),
    "binary rubbish": (bytes(range(256)) * 40, ()),
    "free text": (
        "x,words,y\n" + "\n".join(f"{i % 9},some words {i},{'ab'[i % 2]}" for i in range(400)),
        ("words", "drop"),
    ),
    "10,000 categories": (
        "x,code,y\n" + "\n".join(f"{i % 9},c{i % 10_000},{'ab'[i % 2]}" for i in range(20_000)),
        ("code", "10000", "drop"),
    ),
}


@pytest.mark.parametrize("case", TABLES)
def test_a_table(sweeps: Command, case: str) -> None:
    content, says = TABLES[case]
    Path("rows.csv").write_bytes(content if isinstance(content, bytes) else content.encode())
    Path("mine.toml").write_text('name = "x"\n[data]\nsource = "rows.csv"\ntarget = "y"\n')
    refused(sweeps, "run", "mine.toml", says=("rows.csv", *says))


ARRAYS = {
    "objects": (
        {"X": np.array([[1, "a"], [2, None]] * 20, dtype=object), "y": np.arange(40) % 2},
        ("X", "object"),
    ),
    "NaN": ({"X": np.full((40, 2), np.nan), "y": np.arange(40) % 2}, ("x0", "no value")),
    "infinity": (
        {"X": np.where(np.arange(80).reshape(40, 2) == 3, np.inf, 1.0), "y": np.arange(40) % 2},
        ("x1", "inf"),
    ),
    "no y": ({"X": np.ones((40, 2))}, ("y",)),
    "other lengths": ({"X": np.ones((40, 2)), "y": np.arange(39) % 2}, ("40", "39")),
}


@pytest.mark.parametrize("case", ARRAYS)
def test_arrays(sweeps: Command, case: str) -> None:
    arrays, says = ARRAYS[case]
    np.savez("rows.npz", **arrays)  # type: ignore[arg-type]  # its second parameter is a flag
    Path("mine.toml").write_text('name = "x"\n[data]\nsource = "rows.npz"\n')
    refused(sweeps, "run", "mine.toml", says=("rows.npz", *says))


def test_an_experiment_that_is_not_there(sweeps: Command) -> None:
    refused(sweeps, "run", "mine.toml", says=("mine.toml", "no such file"))


def test_an_experiment_that_is_misspelt(sweeps: Command) -> None:
    refused(sweeps, "run", "digit", says=("digit", "'digits'"))


def test_an_experiment_that_is_a_directory(sweeps: Command) -> None:
    Path("folder.toml").mkdir()
    refused(sweeps, "run", "folder.toml", says=("folder.toml", "directory"))


def test_an_experiment_that_is_data(sweeps: Command) -> None:
    Path("rows.toml").write_bytes(b"\xff\xfe\x00rubbish")
    refused(sweeps, "run", "rows.toml", says=("rows.toml", "byte 0"))


@pytest.mark.parametrize("name", ["a/b", "", "x" * 300, "..", "a\nb", "-x"])
def test_a_study_name(sweeps: Command, name: str) -> None:
    refused(sweeps, "run", "iris", f"--study={name}", says=("study", "name"))


@pytest.mark.parametrize(
    ("option", "says"),
    [
        ("--trials=0", ("trials", "0")),
        ("--trials=many", ("--trials", "integer")),
        ("--workers=0", ("workers", "0")),
        ("--lanes=-1", ("lanes", "-1")),
        ("--set=training.epochs", ("training.epochs", "KEY=VALUE")),
        ("--set=training.epoch=3", ("training.epoch", "'epochs'")),
        ("--set=training.epochs=0", ("training.epochs", "0")),
        ("--set=name.first=3", ("name",)),
        ("--trails=3", ("--trails",)),
        (
            "--set=sweep.sampler=mine:gp",
            ("sweep.sampler", "'mine:gp'", "from Python", "sampler=FUNCTION"),
        ),
        ("--storage=studies.db", ("studies.db", "sqlite:///")),
        ("--storage=nosql://here", ("nosql://here",)),
        ("--storage=redis://127.0.0.1:1", ("redis", "not supported")),
    ],
)
def test_an_option(sweeps: Command, option: str, says: tuple[str, ...]) -> None:
    refused(sweeps, "run", "iris", option, says=says)


def test_a_storage_that_does_not_answer(sweeps: Command) -> None:
    url = "postgresql+psycopg://someone:secret@127.0.0.1:1/studies"
    error = refused(
        sweeps,
        "run",
        "iris",
        "--storage",
        url,
        status=1,
        says=("127.0.0.1", "does not answer", "--storage"),
    )
    assert "secret" not in error


def test_a_storage_whose_package_is_missing(
    sweeps: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "psycopg", None)
    for url in (
        "postgresql+psycopg://someone:secret@127.0.0.1:1/studies",
        "postgresql://someone:secret@127.0.0.1:1/studies",
    ):
        error = refused(
            sweeps,
            "run",
            "iris",
            "--storage",
            url,
            says=("psycopg", "pip install 'nnreg-sweeps[postgres]'"),
        )
        assert "secret" not in error


def test_a_directory_that_cannot_be_written(sweeps: Command) -> None:
    Path("file").write_text("in the way")
    refused(
        sweeps,
        "run",
        "iris",
        "--directory",
        "file/below",
        status=1,
        says=("file/below", "cannot be written"),
    )


def test_a_directory_without_permission(sweeps: Command) -> None:
    closed = Path("/sys/kernel")  # closed to root too
    if os.geteuid() != 0:
        closed = Path("closed")
        closed.mkdir(mode=0o500)
    refused(
        sweeps,
        "run",
        "iris",
        "--directory",
        str(closed),
        status=1,
        says=(str(closed), "cannot be written"),
    )


@pytest.mark.usefixtures("tracker_here")
def test_a_study_that_belongs_to_another_experiment(sweeps: Command) -> None:
    assert (
        sweeps("run", "iris", "--trials", "1", "--set", "training.epochs=1", "--no-confirm")[0] == 0
    )
    refused(
        sweeps,
        "run",
        "iris",
        "--trials",
        "1",
        says=("iris", "training.epochs: 1 -> 100", "--study NAME"),
    )


def test_a_format_that_is_none(sweeps: Command) -> None:
    refused(sweeps, "export", "--format", "xlsx", says=("--format", "'xlsx'", "'csv', 'parquet'"))


@pytest.mark.parametrize("command", ["status", "report", "export", "sync", "doctor"])
def test_a_study_that_is_not_there(sweeps: Command, command: str) -> None:
    refused(sweeps, command, "mine", says=("no study yet", "sweeps run"))


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("rows.csv", "--target", "y"), ("rows.csv",)),
        (("folder", "--target", "y"), ("folder",)),
        (("there.csv", "--target", "z"), ("there.csv", "'z'", "'x', 'y'")),
        (("there.csv",), ("there.csv", "target", "'x', 'y'")),
        (
            ("there.csv", "--target", "y", "--output", "taken.toml"),
            ("taken.toml", "never overwritten"),
        ),
        (("there.csv", "--target", "y", "--output", "nowhere/new.toml"), ("nowhere/new.toml",)),
        (("there.xlsx", "--target", "y"), ("there.xlsx", ".csv")),
        ((), ("DATA",)),
    ],
)
def test_a_new_experiment(
    sweeps: Command, arguments: tuple[str, ...], says: tuple[str, ...]
) -> None:
    Path("there.csv").write_text("x,y\n" + "\n".join(f"{i},{'ab'[i % 2]}" for i in range(40)))
    Path("taken.toml").write_text("mine")
    Path("folder").mkdir()
    Path("there.xlsx").write_bytes(b"PK")
    before = contents(Path.cwd())
    status, error = sweeps("new", *arguments)
    assert status in (1, 2)
    assert len(error.splitlines()) == 1
    for words in says:
        assert words in error
    assert contents(Path.cwd()) == before
