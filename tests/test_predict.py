"""`sweeps predict` from the outside: a file of rows in, labels as CSV out, the same as the model
says in Python.
"""

import dataclasses
import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import sweeps
from experiments.model import WORDS
from sweeps.cli import main

NO_TRACKER = "http://127.0.0.1:9"  # nothing here is about MLflow
SWEEPS = str(Path(sys.executable).with_name("sweeps"))
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
generation = 2
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


@pytest.fixture(scope="module")
def sweep(tmp_path_factory: pytest.TempPathFactory) -> sweeps.Sweep:
    folder = tmp_path_factory.mktemp("shop")
    FRAME.to_csv(folder / "shop.csv", sep=";", index=False, encoding="latin-1")
    (folder / "shop.toml").write_text(TOML)
    return sweeps.run(
        folder / "shop.toml", trials=2, workers=1, directory=folder, tracking_uri=NO_TRACKER
    )


@pytest.fixture
def folder(sweep: sweeps.Sweep, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(sweep.workspace.directory)
    return sweep.workspace.directory


def test_rows_go_in_as_they_stand_and_labels_come_out_as_csv(
    folder: Path, sweep: sweeps.Sweep, capfd: pytest.CaptureFixture[str]
) -> None:
    assert sweep.model
    labels, found = sweep.model.predict(FRAME), sweep.model.probabilities(FRAME)
    done = subprocess.run([SWEEPS, "predict", "shop.csv"], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines() == [
        "'=good?",
        *map(str, labels),
    ]  # a spreadsheet would run the name
    written = command(capfd, "shop", "shop.csv", "--probabilities", "--output", "out/labels.csv")
    assert written == "out/labels.csv written: 90 rows\n"
    table = pd.read_csv(folder / "out" / "labels.csv")
    assert list(table) == ["'=good?", "probability_-1", "probability_1"]
    np.testing.assert_array_equal(table["'=good?"], labels)
    np.testing.assert_array_equal(table.iloc[:, 1:], found)


def test_rows_in_another_kind_of_file_say_the_same(
    folder: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    FRAME.drop(columns="=good?").replace({"": None, "none": None}).astype({"größe": float})[
        ["colour", "größe"]
    ].to_parquet(tmp_path / "rows.parquet")
    assert command(capfd, "shop", "shop.csv") == command(
        capfd, "shop", str(tmp_path / "rows.parquet")
    )


def test_an_npz_of_inputs_needs_no_labels(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    x = np.random.default_rng(0).integers(0, 9, size=(60, 2, 2))
    np.savez("all.npz", X=x, y=np.arange(60) % 2 == 1)
    np.savez("rows.npz", X=x)
    Path("all.toml").write_text(
        TOML.replace("shop", "all").replace(".csv", ".npz").replace('target = "=good?"\n', "")
    )
    sweep = sweeps.run("all.toml", trials=2, workers=1, tracking_uri=NO_TRACKER)
    assert sweep.model
    labels = sweep.model.predict(pd.DataFrame(x.reshape(60, 4), columns=["x0", "x1", "x2", "x3"]))
    assert labels.dtype == bool
    assert command(capfd, "rows.npz").splitlines() == ["y", *map(str, labels)]


def command(capfd: pytest.CaptureFixture[str], *arguments: str, status: int = 0) -> str:
    """What the command prints, or its one sentence where it ends with another status."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", ["sweeps", "predict", *arguments])
        with pytest.raises(SystemExit) as end:
            main()
    out, error = capfd.readouterr()
    assert end.value.code == status, error
    if not status:
        return out
    assert (out, len(error.splitlines())) == ("", 1)
    assert error.startswith("sweeps: ")
    assert "Traceback" not in error
    return error


ROWS = {
    "missing.csv": (
        "colour\nred\n",
        "missing.csv: there is no column 'größe'; there are 'colour': add or rename it",
    ),
    "misspelt.csv": (
        "grösse;colour\n3;red\n",
        "there is no column 'größe'; did you mean 'grösse'?",
    ),
    "text.csv": ("größe;colour\n3;red\nbig;red\n", "text.csv: column 'größe' holds 'big' in row 2"),
    "header.csv": ("größe;colour\n", "header.csv: there are no rows"),
    "empty.csv": ("", "empty.csv: the file is empty"),
    "empty.parquet": ("", "empty.parquet: not a parquet file"),
    "ragged.csv": ("größe;colour\n3;red;4\n", "ragged.csv: cannot be read as CSV"),
    "rows.txt": (
        "größe;colour\n3;red\n",
        "rows.txt: a file of rows ends with .csv, .parquet, .npz",
    ),
    "no.parquet": ("größe", "no.parquet: not a parquet file"),
    "no.npz": ("größe", "no.npz: cannot be read as .npz"),
    "folder.csv": (None, "folder.csv: cannot be read (Is a directory)"),
}


@pytest.mark.parametrize("name", ROWS)
def test_rows_that_cannot_be_used(
    folder: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str], name: str
) -> None:
    text, says = ROWS[name]
    if text is None:
        (tmp_path / name).mkdir()
    else:
        (tmp_path / name).write_text(text, encoding="latin-1")
    assert says in command(
        capfd, str(tmp_path / name), "--output", str(tmp_path / "out.csv"), status=2
    )
    assert [path.name for path in tmp_path.iterdir()] == [name]


def test_arguments_that_cannot_be_meant(
    folder: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert "nowhere.csv: there is no such file; check the path\n" in command(
        capfd, "nowhere.csv", status=2
    )
    assert "which rows? Give a file of them: sweeps predict shop rows.csv" in command(
        capfd, "shop", status=2
    )
    assert "study shp: there is none of this name" in command(capfd, "shp", "shop.csv", status=2)
    assert "Missing argument '[STUDY] ROWS'" in command(capfd, status=2)
    assert "one study and one file of rows at a time" in command(
        capfd, "shop", "shop.csv", "more.csv", status=2
    )
    before = (folder / "shop.csv").read_bytes()
    assert "shop.csv: it is there already" in command(
        capfd, "shop.csv", "--output", "shop.csv", status=2
    )
    assert (folder / "shop.csv").read_bytes() == before
    assert "cannot be written" in command(
        capfd, "shop.csv", "--output", "shop.csv/out.csv", status=1
    )
    elsewhere = command(
        capfd, str(folder / "shop.csv"), "--directory", str(tmp_path / "none"), status=2
    )
    assert "there is no study yet" in elsewhere


def test_a_study_without_a_model_says_how_to_get_it(
    sweep: sweeps.Sweep,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    shutil.copytree(sweep.workspace.directory / "studies", "studies")
    FRAME.to_csv("shop.csv", sep=";", index=False, encoding="latin-1")
    says = "the model of its verdict is not in"
    assert says in command(capfd, "shop.csv", status=2)
    shutil.copytree(sweep.workspace.directory / "reports", "reports")
    words = json.loads((Path("reports") / "shop" / WORDS).read_text())
    words["origin"]["seed"] += 1  # of an earlier verdict
    (Path("reports") / "shop" / WORDS).write_text(json.dumps(words))
    assert "make it again with: sweeps confirm shop" in command(capfd, "shop.csv", status=2)
    assert (
        dataclasses.replace(
            sweep, workspace=dataclasses.replace(sweep.workspace, directory=tmp_path)
        ).model
        is None
    )

    sweeps.run(
        "iris",
        trials=1,
        confirm=False,
        workers=1,
        tracking_uri=NO_TRACKER,
        edits=["training.epochs=1"],
    )
    assert "study iris has no verdict yet" in command(capfd, "iris", "shop.csv", status=2)
    assert "there are 2 studies; name one of iris, shop" in command(capfd, "shop.csv", status=2)
