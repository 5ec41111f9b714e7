"""The sealed rows: recognised by what is in them, and opened as a network reads them."""

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
    return pd.DataFrame(
        {
            "x": rng.standard_normal(60).round(3),
            "colour": rng.choice(["red", "green", ""], 60),
            "who": rng.integers(0, 20, 60),
            "class": rng.integers(0, 2, 60),
        }
    )


def written(frame: pd.DataFrame, path: Path, **keys: Any) -> Data:
    frame.to_csv(path, index=False)
    return Data.model_validate({"source": str(path), "target": "class", **keys})


def test_how_rows_are_treated_makes_no_other_test_set(frame: pd.DataFrame, tmp_path: Path) -> None:
    def digest(frame: pd.DataFrame, **keys: Any) -> str:
        return Sealed(written(frame, tmp_path / "rows.csv", **keys)).digest

    before = digest(frame)
    assert len(before) == 64
    assert digest(frame, drop=["x"], categorical=["who"]) == before
    assert digest(frame[frame.columns[::-1]]) == before
    assert digest(frame, split={"val": 0.3, "seed": 1}) != before
    assert digest(frame.assign(x=frame.x + 1e-3)) != before
    path = tmp_path / "test.csv"
    found = set()
    for rows in (frame.iloc[40:], frame.iloc[:39:-1]):  # a file of test rows, in any order
        rows.to_csv(path, index=False)
        found.add(digest(frame.iloc[:40], test=str(path)))
    assert len(found) == 1


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
    # The three parts are all rows: turned back, what a network reads is what the file says.
    every = np.concatenate([loaded.split.x_train, loaded.split.x_val, rows.x])[:, 0]
    back = every * number.deviation + number.mean
    np.testing.assert_allclose(np.sort(back), np.sort(frame.x), atol=1e-6)  # rounded to float32
