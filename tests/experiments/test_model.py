"""The kept model: raw rows as they stand in somebody's table, and labels as they stand there."""

import dataclasses
import json
import math
import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from experiments import datasets
from experiments.datasets import Preparation, labels
from experiments.errors import DataError
from experiments.model import NUMBERS, WORDS, Model, find_model, read_model
from experiments.spec import Data
from tests.models import FRAME, loaded, made_model
from tests.studies import confirmed_study, make_study

STUDY = confirmed_study(look=1)


@pytest.fixture
def model(tmp_path: Path) -> Model:
    return made_model(STUDY, tmp_path)


def test_what_is_read_is_what_was_written(model: Model, tmp_path: Path) -> None:
    kept = tmp_path / "kept"
    model.write(kept)
    read = read_model(kept)
    np.testing.assert_array_equal(read.probabilities(FRAME), model.probabilities(FRAME))
    np.testing.assert_equal(read.parameters, model.parameters)
    same = dataclasses.replace(read, parameters=model.parameters)
    assert vars(same) == vars(model)


def test_a_table_says_the_same_however_it_was_read(model: Model, tmp_path: Path) -> None:
    """Columns in another order and others among them, all as text, numbers as other numbers, codes
    as text, `?` for missing.
    """
    said = model.probabilities(FRAME)
    assert np.isfinite(said).all()
    table = pd.read_csv(tmp_path / "rows.csv")
    as_text = pd.read_csv(tmp_path / "rows.csv", dtype=str, keep_default_na=False)
    for frame in (
        table[["class", "zip", "colour", "weight", "size, in cm", "id"]],
        FRAME.drop(columns=["class", "id"]),
        as_text,
        as_text.replace("", "?").astype(object),
        FRAME.astype({"size, in cm": "Int64", "colour": "category", "zip": "category"}),
        FRAME.set_index("id").assign(zip=FRAME.zip.to_numpy(dtype=float)),
    ):
        np.testing.assert_array_equal(model.probabilities(frame), said)
        found = np.array([1, 2, 3])[said.argmax(axis=1)]
        np.testing.assert_array_equal(model.predict(frame), found)


@pytest.mark.parametrize(
    ("frame", "says"),
    [
        (FRAME.rename(columns={"weight": "wieght"}), "no column 'weight'; did you mean 'wieght'?"),
        (FRAME[["weight"]], "no column 'size, in cm', 'colour', 'zip'"),
        (FRAME.assign(weight="heavy"), "column 'weight' holds 'heavy' in row 1"),
        (FRAME.assign(weight=np.inf), "column 'weight' holds inf in row 1"),
        (FRAME[[*FRAME, "weight"]], "the column 'weight' is there more than once"),
    ],
)
def test_rows_that_cannot_be_used_are_one_sentence(
    model: Model, frame: pd.DataFrame, says: str
) -> None:
    with pytest.raises(DataError, match=f"^the rows: (there is )?{says}"):
        model.predict(frame)


def test_the_example_is_of_the_training_rows_and_has_least_missing(
    model: Model, tmp_path: Path
) -> None:
    assert list(model.example[0]) == ["size, in cm", "weight", "colour", "zip"]
    assert json.loads(json.dumps(model.example)) == list(model.example)
    assert not any(None in row.values() for row in model.example)
    there = loaded(tmp_path).split.x_train
    shown = model.preparation.apply(pd.DataFrame(model.example))
    assert [(row == there).all(axis=1).any() for row in shown] == [True] * 3
    sizes = [row["size, in cm"] for row in model.preparation.example(FRAME.iloc[40:60])]
    assert sizes == FRAME["size, in cm"].loc[[40, 41, 43]].tolist()  # 42 has no colour


@pytest.mark.parametrize(
    ("labels_there", "dtype"),
    [
        ("-1 1 10", "int64"),
        ("01 02", "object"),
        ("1.5 2.0", "float64"),
        ("1 1.5", "object"),
        ("True False", "bool"),
        ("true false", "object"),
        ("1 9999999999999999999", "object"),
        ("+1 1", "object"),
    ],
)
def test_labels_of_a_csv_are_numbers_where_they_are_written_as_these_are(
    labels_there: str, dtype: str, tmp_path: Path
) -> None:
    written = labels_there.split()
    y = [written[n % len(written)] for n in range(60)]
    pd.DataFrame({"x": range(60), "y": y}).to_csv(tmp_path / "r.csv", index=False)
    data = datasets.load(Data(source=str(tmp_path / "r.csv"), target="y"))
    restored = labels.restore(data.classes, data.label_type)
    assert restored.dtype == dtype
    assert {str(label) for label in restored.tolist()} == set(written)


@pytest.mark.parametrize("values", [["0", "1"], [0, 1], [0.0, 1.0], [True, False], ["a", "b"]])
def test_labels_of_a_parquet_file_have_the_type_of_their_column(
    values: list[object], tmp_path: Path
) -> None:
    pd.DataFrame({"x": range(60), "y": values * 30}).to_parquet(tmp_path / "r.parquet")
    data = datasets.load(Data(source=str(tmp_path / "r.parquet"), target="y"))
    restored = labels.restore(data.classes, data.label_type).tolist()
    assert sorted(restored) == sorted(values)
    assert {type(label) for label in restored} == {type(values[0])}


def test_a_model_of_another_verdict_or_damaged_is_not_found(model: Model, tmp_path: Path) -> None:
    assert find_model(tmp_path, STUDY) is None
    model.write(tmp_path)
    assert find_model(tmp_path, STUDY) is not None
    assert find_model(tmp_path, make_study(3)) is None
    assert find_model(tmp_path, confirmed_study(STUDY, winner=2)) is None
    for file in (NUMBERS, WORDS):
        (tmp_path / file).unlink()
        assert find_model(tmp_path, STUDY) is None
        os.mkfifo(tmp_path / file)  # which nobody writes into: to read it would take forever
        assert find_model(tmp_path, STUDY) is None
        model.write(tmp_path)
        assert find_model(tmp_path, STUDY) is not None


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.sampled_from((NUMBERS, WORDS)), st.floats(0, 1, exclude_max=True), st.integers(0, 7))
def test_any_changed_bit_is_noticed(
    model: Model, tmp_path: Path, file: str, share: float, bit: int
) -> None:
    model.write(tmp_path)
    whole = (tmp_path / file).read_bytes()
    at = int(share * len(whole))
    flipped = bytes([whole[at] ^ 1 << bit])  # of a digit mostly another one
    for changed in (whole[:at], whole[:at] + flipped + whole[at + 1 :]):
        (tmp_path / file).write_bytes(changed)
        with suppress(DataError):  # but for another space between two words of the JSON
            np.testing.assert_equal(vars(read_model(tmp_path)), vars(model))


WRONG: dict[str, Callable[[Model], Any]] = {
    "weights not finite": lambda model: {"parameters": _changed(model, 0, np.nan)},
    "no floats": lambda model: {"parameters": _changed(model, 0, np.datetime64(0, "s"))},
    "one class less": lambda model: {"classes": model.classes[:-1]},
    "one layer less": lambda model: {"parameters": model.parameters[1:]},
    "labels of another type": lambda model: {"classes": ("1", "2", "c")},
    "no such type": lambda model: {"label_type": "complex"},
    "no deviation": lambda model: {"preparation": _deviating(model, 0.0)},
    "a deviation that is not a number": lambda model: {"preparation": _deviating(model, math.nan)},
    "no steps": lambda model: {"preparation": Preparation(steps=())},
    "no text": lambda model: {"target": 5},
}


def _changed(model: Model, layer: int, value: Any) -> list[Any]:
    parameters = list(model.parameters)
    weights, biases = parameters[layer]
    parameters[layer] = (np.full_like(weights, value, dtype=np.asarray(value).dtype), biases)
    return parameters


def _deviating(model: Model, deviation: float) -> Preparation:
    first, *others = model.preparation.steps
    return Preparation(steps=(dataclasses.replace(first, deviation=deviation), *others))


@pytest.mark.parametrize("wrong", WRONG)
def test_a_model_that_cannot_be_used_is_refused_with_the_right_digest_too(
    model: Model, tmp_path: Path, wrong: str
) -> None:
    dataclasses.replace(model, **WRONG[wrong](model)).write(tmp_path)
    with pytest.raises(
        DataError, match=r"not as sweeps wrote them .*; rebuild them with: sweeps confirm"
    ):
        read_model(tmp_path)
