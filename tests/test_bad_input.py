"""Bad input: one sentence that names file, key and value, the right status, and nothing left
behind. What is wrong with a table: tests/experiments/test_datasets_bad.py.
"""

import os
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from experiments import experiment_file
from experiments.errors import InputError
from sweeps.workspace import workspace
from tests.commands import sweeps

LOCAL = "postgresql+psycopg://someone:secret@127.0.0.1:1/studies"


def contents(folder: Path) -> dict[str, bytes | None]:
    return {
        str(path.relative_to(folder)): path.read_bytes() if path.is_file() else None
        for path in sorted(folder.rglob("*"))
    }


def refused(folder: Path, command: Sequence[str], says: Sequence[str], status: int = 2) -> str:
    """Run the command; it must end with this status and one sentence that holds all of `says`, and
    change nothing. Return the sentence.
    """
    before = contents(folder)
    error = sweeps(*command, cwd=folder, status=status).stderr
    assert len(error.splitlines()) == 1, error
    assert error.startswith("sweeps: ")
    for words in says:
        assert words in error
    assert contents(folder) == before
    return error


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("training. = 1", ("not valid TOML", "line 3")),
        ("epochs = 3", ("epochs", "3")),
        ("training.epoch = 3", ("training.epoch", "3", "'epochs'")),
        ("lambdas.weight_l1 = { low = 0.1, high = 0.01 }", ("lambdas.weight_l1", "0.1", "0.01")),
        ("lambdas.bias_l1 = { low = 0, high = 0.1 }", ("low is 0", "low > 0", "write 0")),
        ("lambdas.bias_l1 = { lo = 0.1, high = 0.1 }", ("lambdas.bias_l1.lo", "'low'")),
        ("lambdas.weight_l2 = -0.5", ("lambdas.weight_l2", "-0.5")),
        ("lambdas.weight_l2 = { low = 0.1, high = inf }", ("lambdas.weight_l2.high", "inf")),
        ("lambdas.weight_l2 = 'much'", ("lambdas.weight_l2", "'much'")),
        ("sweep.trials = 0", ("sweep.trials", "0")),
        ("training.epochs = '30'", ("training.epochs", "'30'")),
        ("training.optimizer = 'adamw'", ("training.optimizer", "'adamw'")),
        ("training.keep = 'bets'", ("training.keep", "'bets'", "'best' or 'last'")),
        (
            "training.learning_rate = { low = 0 }",
            ("training.learning_rate", "low is 0", "one number"),
        ),
        ("training.learning_rate = { low = 1, high = 1 }", ("low = 1 is not below high = 1",)),
        ("training.learning_rate = 0", ("training.learning_rate", "0", "greater than 0")),
        ("sweep.baseline = 101", ("sweep.baseline is 101", "trials is 100", "lower baseline")),
        ("model.hidden = [0]", ("model.hidden.0", "0")),
        ("data.split = { val = 0.5, test = 0.5 }", ("data.split", "0.5", "nothing to train on")),
        ("data.split.val = 0", ("data.split", "val = 0 leaves no rows", "val > 0, or folds")),
        (
            "data.split = { folds = 5, val = 0.2 }",
            ("data.split", "val = 0.2 and folds = 5", "remove one of the two"),
        ),
        ("data.split.repeats = 2", ("data.split", "repeats = 2 goes with folds", "write folds")),
        ("data.split.folds = 1", ("data.split.folds", "1", "greater than or equal to 2")),
        (
            "data.split = { outer = 5, test = 0.2 }",
            ("data.split", "test = 0.2 and outer = 5", "remove one of the two"),
        ),
        ("data.split.outer_fold = 1", ("data.split", "outer_fold = 1 goes with outer", "remove")),
        (
            "data.split = { outer = 5, outer_fold = 6 }",
            ("data.split", "outer_fold = 6", "outer = 5", "from 1 to 5"),
        ),
        (
            "data.split = { order = 'time', group = 'id' }",
            ("data.split", 'order = "time"', "group = 'id'", "remove one of the two"),
        ),
        (
            "data.split = { order = 'time', folds = 5, repeats = 2 }",
            ("data.split", 'order = "time"', "repeats = 2", "remove one of the two"),
        ),
        (
            "data.split = { order = 'time', outer = 5 }",
            ("data.split", 'order = "time"', "outer = 5", "remove one of the two"),
        ),
        (
            "data = { source = 'x.csv', validation = 'y.csv', split = { folds = 5 } }",
            ("data.validation = 'y.csv' and data.split.folds = 5", "remove one of the two"),
        ),
        (
            "data = { source = 'x.csv', test = 'y.csv', split = { outer = 5 } }",
            ("data.test = 'y.csv' and data.split.outer = 5", "remove one of the two"),
        ),
        ("sweep.objective = 'total_loss'", ("switching the penalty off", "val_accuracy")),
        ("sweep.sampler = 'gp'", ("sweep.sampler", "'gp'")),
        ("data.source = 'irish'", ("data.source", "'irish'", "'iris'")),
        ("data.source = 'rows.ods'", ("data.source", "rows.ods")),
        ("data.target = 'kind'", ("data.target goes with a file", "bundled 'iris'", "remove it")),
        ("name = 'a/b'", ("name", "'a/b'", "slash")),
        ("name = ''", ("name", "''", "letter")),
        (f"name = '{'x' * 300}'", ("name", "300")),
    ],
)
def test_an_experiment_file(line: str, says: Sequence[str], tmp_path: Path) -> None:
    keys = {"name": "'x'", "data.source": "'iris'"}
    if line.startswith("data = "):
        del keys["data.source"]
    keys.pop(line.partition(" =")[0], None)
    lines = [f"{key} = {value}" for key, value in keys.items()]
    (tmp_path / "mine.toml").write_text("\n".join([*lines, line]))
    refused(tmp_path, ["run", "mine.toml"], ["mine.toml", *says])


@pytest.mark.parametrize(
    ("line", "says"),
    [
        (
            "data.split.folds = 41",
            (
                "iris",
                "data.split.folds = 41",
                "40 rows",
                "largest class, 'setosa'",
                "smaller folds",
            ),
        ),
        (
            "data.split = { outer = 51, val = 0.2 }",
            ("iris", "data.split.outer = 51", "50 rows", "largest class", "smaller outer"),
        ),
        (
            "data = { source = 'spiral', spiral.points = 10, split.folds = 30 }",
            ("spiral", "data.split.folds = 30 needs 30 rows", "there are 24", "smaller folds"),
        ),
        (
            "data.split = { folds = 30, group = 'petal width (cm)' }",
            (
                "iris",
                "'petal width (cm)'",
                "groups to divide, fewer than data.split.folds = 30",
                "smaller",
            ),
        ),
        (
            "data.split = { outer = 30, group = 'petal width (cm)' }",
            ("iris", "'petal width (cm)'", "22 groups to divide, fewer than data.split.outer = 30"),
        ),
        (
            "data.split = { folds = 3, order = 'time' }",
            (
                "iris",
                "training rows, the first 30",
                "fewer than two classes",
                'remove order = "time"',
            ),
        ),
        (
            "data.split = { order = 'time', val = 0.1, test = 0.5 }",
            ("iris", "only the test rows, the last 75", "'virginica'", 'remove order = "time"'),
        ),
    ],
)
def test_rows_that_are_too_few_for_the_division(
    line: str, says: Sequence[str], tmp_path: Path
) -> None:
    source = "" if line.startswith("data = ") else "data.source = 'iris'"
    (tmp_path / "mine.toml").write_text(f"name = 'x'\n{source}\n{line}")
    refused(tmp_path, ["run", "mine.toml"], says)


def test_all_trials_may_be_of_the_baseline_arm_and_without_tuning_one_is_enough() -> None:
    experiment_file.load("iris", ["sweep.trials=16", "sweep.baseline=16"])
    experiment_file.load("iris", ["sweep.trials=1", "training.learning_rate=0.01"])


@pytest.mark.parametrize(
    ("command", "says"),
    [
        ("run mine.toml", ("mine.toml", "no such file")),
        ("run digit", ("digit", "'digits'")),
        ("run folder.toml", ("folder.toml", "directory")),
        ("run bytes.toml", ("bytes.toml", "byte 0")),
        ("run nothing.toml", ("nothing.toml", "name", "missing")),
        ("run table.toml", ("there.csv", "'label'", "'x', 'y'")),
        ("run iris --study=a/b", ("study", "name")),
        ("run iris --trials=0", ("trials", "0")),
        ("run iris --trials=many", ("--trials", "int")),
        ("run iris --workers=0", ("workers", "0")),
        ("run iris --lanes=-1", ("lanes", "-1")),
        ("run iris --set=training.epochs", ("training.epochs", "KEY=VALUE")),
        ("run iris --set=name.first=3", ("name",)),
        ("run iris --set=sweep.sampler=mine:gp", ("'mine:gp'", "from Python", "sampler=FUNCTION")),
        ("run iris --trails=3", ("--trails",)),
        ("run iris --storage=studies.db", ("studies.db", "sqlite:///")),
        ("run iris --storage=redis://127.0.0.1:1", ("redis", "not supported")),
        ("export --format xlsx", ("--format", "'xlsx'", "'csv', 'parquet'")),
        ("status mine", ("no study yet", "sweeps run")),
        ("new rows.csv --target y", ("rows.csv",)),
        ("new there.csv --target z", ("there.csv", "'z'", "'x', 'y'")),
        ("new there.csv", ("there.csv", "target", "'x', 'y'")),
        ("new there.csv --target y --output table.toml", ("table.toml", "never overwritten")),
        ("new there.ods --target y", ("there.ods", ".csv")),
    ],
)
def test_a_command(command: str, says: Sequence[str], tmp_path: Path) -> None:
    rows = "x,y\n" + "\n".join(f"{i},{'ab'[i % 2]}" for i in range(40))
    (tmp_path / "there.csv").write_text(rows)
    (tmp_path / "there.ods").write_bytes(b"PK")
    (tmp_path / "folder.toml").mkdir()
    (tmp_path / "bytes.toml").write_bytes(b"\xff\xfe\x00rubbish")
    (tmp_path / "nothing.toml").touch()
    (tmp_path / "table.toml").write_text(
        "name = 'x'\ndata = { source = 'there.csv', target = 'label' }"
    )
    refused(tmp_path, command.split(), says)


def test_a_storage_that_does_not_answer(tmp_path: Path) -> None:
    says = ("127.0.0.1", "does not answer", "--storage")
    assert "secret" not in refused(tmp_path, ["run", "iris", "--storage", LOCAL], says, status=1)


@pytest.mark.parametrize("url", [LOCAL, LOCAL.replace("+psycopg", "")])
def test_a_storage_whose_package_is_missing(
    url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "psycopg", None)
    says = ("psycopg", "pip install 'nnreg-sweeps[postgres]'")
    assert "secret" not in refused(tmp_path, ["run", "iris", "--storage", url], says)


def test_a_directory_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    closed = "/sys/kernel"  # closed to root too
    if os.geteuid() != 0:
        (tmp_path / (closed := "closed")).mkdir(mode=0o500)
    for directory in ("file/below", closed):
        command = ["run", "iris", "--directory", directory]
        refused(tmp_path, command, (directory, "cannot be written"), status=1)


@pytest.mark.parametrize("directory", ["a\0b", "\udcff"])
def test_a_directory_that_cannot_be_one(directory: str) -> None:
    with pytest.raises(InputError, match=r"^--directory .* cannot be one .*; choose another$"):
        workspace(directory)


def test_a_study_that_belongs_to_another_experiment(tmp_path: Path) -> None:
    other = experiment_file.load("iris", ["training.epochs=1"])
    workspace(tmp_path).open("iris", other).close()
    refused(tmp_path, ["run", "iris"], ("iris", "training.epochs: 1 -> 100", "--study NAME"))
