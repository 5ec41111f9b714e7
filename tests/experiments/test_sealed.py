"""The sealed rows: recognised by what is in them, however they are treated; opened as a network
reads them.
"""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from experiments import datasets
from experiments.data_section import Data
from experiments.datasets import Sealed


@pytest.fixture
def frame() -> pd.DataFrame:
    rng = np.random.default_rng(0)
    columns = {
        "x": rng.standard_normal(60).round(3),
        "colour": rng.choice(["red", "green", ""], 60),
    }
    return pd.DataFrame(
        {**columns, "who": rng.integers(0, 20, 60), "class": rng.integers(0, 2, 60)}
    )


def written(frame: pd.DataFrame, path: Path, **keys: Any) -> Data:
    frame.to_csv(path, index=False)
    return Data.model_validate({"source": str(path), "target": "class", **keys})


def test_how_rows_are_treated_makes_no_other_test_set(frame: pd.DataFrame, tmp_path: Path) -> None:
    digest = Sealed(written(frame, tmp_path / "rows.csv")).digest
    assert len(digest) == 64
    assert (
        Sealed(written(frame, tmp_path / "rows.csv", drop=["x"], categorical=["who"])).digest
        == digest
    )
    assert Sealed(written(frame[frame.columns[::-1]], tmp_path / "other.csv")).digest == digest
    assert (
        Sealed(written(frame, tmp_path / "rows.csv", split={"val": 0.3, "seed": 1})).digest
        != digest
    )
    changed = frame.assign(x=frame.x + 1e-3)
    assert Sealed(written(changed, tmp_path / "rows.csv")).digest != digest


def test_a_file_of_test_rows_is_the_same_in_any_order(frame: pd.DataFrame, tmp_path: Path) -> None:
    training, test = frame.iloc[:40], frame.iloc[40:]
    digests = set()
    for rows in (test, test.iloc[::-1]):
        rows.to_csv(tmp_path / "test.csv", index=False)
        digests.add(
            Sealed(written(training, tmp_path / "rows.csv", test=str(tmp_path / "test.csv"))).digest
        )
    assert len(digests) == 1


def test_opened_they_are_the_rows_that_were_counted(frame: pd.DataFrame, tmp_path: Path) -> None:
    data = written(frame, tmp_path / "rows.csv", drop=["colour"], split={"group": "who"})
    loaded = datasets.load(data)
    rows = Sealed(data).open(loaded.preparation, "float32")
    assert len(rows.x) == len(rows.y) == loaded.rows["test"]
    assert rows.x.dtype == np.float32
    assert rows.groups is not None
    assert loaded.groups is not None
    assert len(loaded.groups) == loaded.rows["validation"]
    (number,) = loaded.preparation.steps
    x = rows.x[:, 0].astype(float) * number.deviation + number.mean
    opened = frame.set_index("x").loc[x.round(3)]  # none is there twice
    assert opened["class"].tolist() == rows.y.tolist()
    assert pd.factorize(opened.who)[0].tolist() == rows.groups.tolist()
    # The three parts are all rows: what a network reads of them, turned back, is what the file
    # says.
    back = (
        np.concatenate([loaded.split.x_train, loaded.split.x_val, rows.x])[:, 0] * number.deviation
        + number.mean
    )
    np.testing.assert_allclose(
        np.sort(back), np.sort(frame.x), atol=1e-6
    )  # rounded to float32 once


def test_rows_without_groups_have_none(frame: pd.DataFrame, tmp_path: Path) -> None:
    data = written(frame, tmp_path / "rows.csv")
    loaded = datasets.load(data)
    assert loaded.groups is None
    assert Sealed(data).open(loaded.preparation, "float64").groups is None
