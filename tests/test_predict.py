"""`sweeps predict` from the outside: a file of rows in, labels as CSV out, as the model says."""

import dataclasses
import json
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import sweeps
from experiments.model import WORDS
from tests.commands import sweeps as command
from tests.commands import sweeps_process

NO_TRACKER = "http://127.0.0.1:9"  # nothing here is about MLflow
TOML = """
name = "shop"
[data]
source = "shop.csv"
target = "=good?"
separator = ";"
encoding = "latin-1"
missing = ["", "none"]
[training]
epochs = 3
[sweep]
baseline = 1
[confirm]
seeds = 2
top = 1
"""
FRAME = pd.DataFrame(
    {
        "größe": [(3, 4.5, "none")[n % 3] for n in range(90)],
        "colour": [("red", "blé", "")[n % 3] for n in range(90)],
        "=good?": [("-1", "1")[n % 2] for n in range(90)],
    }
)
pytestmark = pytest.mark.usefixtures("tracker_here")


def swept(experiment: Path | str, folder: Path, **options: object) -> sweeps.Sweep:
    return sweeps.run(
        experiment, trials=2, workers=1, directory=folder, tracking_uri=NO_TRACKER, **options
    )


@pytest.fixture(scope="module")
def sweep(tmp_path_factory: pytest.TempPathFactory) -> sweeps.Sweep:
    folder = tmp_path_factory.mktemp("shop")
    FRAME.to_csv(folder / "shop.csv", sep=";", index=False, encoding="latin-1")
    (folder / "shop.toml").write_text(TOML)
    return swept(folder / "shop.toml", folder)


@pytest.fixture
def folder(sweep: sweeps.Sweep) -> Path:
    return sweep.workspace.directory


def predicted(cwd: Path, *arguments: str) -> str:
    return command("predict", *arguments, cwd=cwd).stdout


def refused(cwd: Path, *arguments: str, status: int = 2) -> str:
    done = command("predict", *arguments, cwd=cwd, status=status)
    assert (done.stdout, len(done.stderr.splitlines())) == ("", 1)
    assert done.stderr.startswith("sweeps: ")
    return done.stderr


def test_rows_go_in_as_they_stand_and_labels_come_out_as_csv(
    folder: Path, sweep: sweeps.Sweep, tmp_path: Path
) -> None:
    labels, found = sweep.model.predict(FRAME), sweep.model.probabilities(FRAME)
    done = sweeps_process("predict", "shop.csv", cwd=folder)
    assert done.stderr == ""
    assert done.stdout.splitlines() == ["=good?", *map(str, labels)]
    file = tmp_path / "out" / "labels.csv"
    written = predicted(folder, "shop", "shop.csv", "--probabilities", "--output", str(file))
    assert written == f"{file} written: 90 rows\n"
    table = pd.read_csv(file)
    assert list(table) == ["=good?", "probability_-1", "probability_1"]
    np.testing.assert_array_equal(table["=good?"], labels)
    np.testing.assert_array_equal(table.iloc[:, 1:], found)


def test_rows_in_another_kind_of_file_say_the_same(folder: Path, tmp_path: Path) -> None:
    known = FRAME.replace({"": None, "none": None}).astype({"größe": float})
    known[["colour", "größe"]].to_parquet(tmp_path / "rows.parquet")
    assert predicted(folder, "shop.csv") == predicted(folder, str(tmp_path / "rows.parquet"))


def test_labels_are_those_of_the_data_and_defused_on_request(tmp_path: Path) -> None:
    classes = ["+1", "-", "=x", "007", "True", "@a"]
    frame = pd.DataFrame(
        {"a": np.arange(120) % 6 * 1.0, "+b": [classes[n % 6] for n in range(120)]}
    )
    frame.to_csv(tmp_path / "all.csv", index=False)
    (tmp_path / "all.toml").write_text(
        TOML.replace("shop", "all").replace("=good?", "+b").replace(";", ",").replace("= 3", "= 60")
    )
    swept(tmp_path / "all.toml", tmp_path)
    lines = predicted(tmp_path, "all.csv").splitlines()
    assert lines[0] == "+b"
    assert set(lines[1:]) <= set(classes)
    assert len(set(lines[1:])) > 3
    defused = predicted(tmp_path, "all.csv", "--for-spreadsheet").splitlines()
    assert defused == [f"'{line}" if line[0] in "+-=@" else line for line in lines]


def test_columns_that_the_model_does_not_need_may_be_called_anything(
    folder: Path, sweep: sweeps.Sweep, tmp_path: Path
) -> None:
    odd = FRAME.astype(str)[["=good?", "colour", "=good?", "größe", "=good?"]]
    odd.columns = ["", "colour", "x", "größe", "x"]
    known = predicted(folder, "shop.csv")
    odd.to_csv(tmp_path / "odd.csv", sep=";", index=False, encoding="latin-1")
    assert predicted(folder, str(tmp_path / "odd.csv")) == known
    np.testing.assert_array_equal(sweep.model.predict(odd), sweep.model.predict(FRAME))


def test_categories_that_were_never_seen_are_a_note(folder: Path, tmp_path: Path) -> None:
    rows = tmp_path / "rows.csv"
    rows.write_text("größe;colour\n3;mauve\n3;red\n;mauve\n3;teal\n", encoding="latin-1")
    done = command("predict", "shop", str(rows), cwd=folder)
    assert len(done.stdout.splitlines()) == 5
    assert done.stderr == (
        "column 'colour': 3 of 4 rows have 'mauve', 'teal', which no training row had; that counts"
        " as no category\n"
    )


def test_an_npz_of_inputs_needs_no_labels(tmp_path: Path) -> None:
    x = np.random.default_rng(0).integers(0, 9, size=(60, 2, 2))
    np.savez(tmp_path / "all.npz", X=x, y=np.arange(60) % 2 == 1)
    np.savez(tmp_path / "rows.npz", X=x)
    toml = TOML.replace("shop", "all").replace(".csv", ".npz").replace('target = "=good?"\n', "")
    (tmp_path / "all.toml").write_text(toml)
    model = swept(tmp_path / "all.toml", tmp_path).model
    labels = model.predict(pd.DataFrame(x.reshape(60, 4), columns=["x0", "x1", "x2", "x3"]))
    assert labels.dtype == bool
    assert predicted(tmp_path, "rows.npz").splitlines() == ["y", *map(str, labels)]


@pytest.mark.parametrize(
    ("name", "text", "says"),
    [
        ("text.csv", "größe;colour\n3;red\nbig;red\n", "column 'größe' holds 'big' in row 2"),
        ("header.csv", "größe;colour\n", "there are no rows"),
        ("rows.txt", "größe\n3\n", "a file of rows ends with .csv, "),
        ("none.csv", "size;=good?\n3;1\n", "there is no column 'größe', 'colour'; "),
        ("twice.csv", "größe;colour;colour\n3;red;red\n", "the column 'colour' is there more than"),
    ],
)
def test_rows_that_cannot_be_used(
    folder: Path, tmp_path: Path, name: str, text: str, says: str
) -> None:
    (tmp_path / name).write_text(text, encoding="latin-1")
    said = refused(folder, str(tmp_path / name), "--output", str(tmp_path / "out.csv"))
    assert f"{name}: {says}" in said
    assert [path.name for path in tmp_path.iterdir()] == [name]


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("nowhere.csv",), "nowhere.csv: cannot be read (No such file"),
        (("shop",), "which rows? Give a file of them: sweeps predict shop rows.csv"),
        (("shp", "shop.csv"), "study shp: there is no study of this name"),
        ((), "Missing argument '[STUDY] ROWS'"),
        (("shop", "shop.csv", "more.csv"), "one study and one file of rows at a time"),
        (("shop.csv", "--output", "shop.csv"), "shop.csv: it exists, and is not overwritten"),
        (("shop.csv", "--output", "shop.csv/out.csv"), "cannot be written"),
        (("shop.csv", "--directory", "none"), "there is no study yet"),
    ],
)
def test_arguments_that_cannot_be_meant(
    folder: Path, arguments: tuple[str, ...], says: str
) -> None:
    before = (folder / "shop.csv").read_bytes()
    assert says in refused(folder, *arguments, status=1 if says == "cannot be written" else 2)
    assert (folder / "shop.csv").read_bytes() == before


def test_a_study_without_a_model_says_how_to_get_it(sweep: sweeps.Sweep, tmp_path: Path) -> None:
    shutil.copytree(sweep.workspace.directory / "studies", tmp_path / "studies")
    FRAME.to_csv(tmp_path / "shop.csv", sep=";", index=False, encoding="latin-1")
    assert "the model of its verdict is not in" in refused(tmp_path, "shop.csv")
    shutil.copytree(sweep.workspace.directory / "reports", tmp_path / "reports")
    path = tmp_path / "reports" / "shop" / WORDS
    words = json.loads(path.read_text())
    words["origin"]["seed"] += 1  # of an earlier verdict
    path.write_text(json.dumps(words))
    assert "make it with: sweeps confirm shop" in refused(tmp_path, "shop.csv")
    place = dataclasses.replace(sweep.workspace, directory=tmp_path)
    assert dataclasses.replace(sweep, workspace=place).model is None

    swept("iris", tmp_path, confirm=False, edits=["training.epochs=1"])
    assert "study iris: the model of its verdict is not in" in refused(tmp_path, "iris", "shop.csv")
    assert "there are 2 studies; name one of iris, shop" in refused(tmp_path, "shop.csv")
