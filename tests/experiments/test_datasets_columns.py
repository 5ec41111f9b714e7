"""What happens to columns of every kind."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from experiments.data_section import Data
from experiments.datasets import Dataset, load
from experiments.datasets.parts import divide
from experiments.datasets.values import canonical
from experiments.errors import DataError

ROWS = 60


def table(column: object) -> pd.DataFrame:
    """A table with the column `a`, a number `b` and labels."""
    return pd.DataFrame({"a": column, "b": np.arange(ROWS) % 7, "label": np.arange(ROWS) % 2})


def loaded(folder: Path, column: object, dtype: str = "float64", **keys: object) -> Dataset:
    table(column).to_csv(folder / "rows.csv", index=False)
    return load(described(folder / "rows.csv", **keys), dtype)


def from_parquet(folder: Path, column: object, **keys: object) -> Dataset:
    table(column).to_parquet(folder / "rows.parquet")
    return load(described(folder / "rows.parquet", **keys))


def described(path: Path, **keys: object) -> Data:
    return Data.model_validate({"source": str(path), "target": "label", **keys})


def features(data: Dataset) -> list[str]:
    return [name for name in data.features if name != "b"]


def test_categories_are_one_hot_and_missing_is_one_of_them(tmp_path: Path) -> None:
    data = loaded(tmp_path, ["x", "y", "?", "NA"] * 15)
    assert features(data) == ["a=x", "a=y", "a is missing"]
    hot = data.split.x_train[:, :3]
    assert set(np.unique(hot)) == {0.0, 1.0}
    assert (hot.sum(axis=1) == 1).all()
    row = pd.DataFrame({"a": ["never seen"], "b": [3]})
    with pytest.warns(UserWarning, match="'a': 1 of 1 rows have 'never seen'"):
        unseen = data.preparation.apply(row)
    assert unseen[0, :3].tolist() == [0.0, 0.0, 0.0]  # nor is it missing


def test_missing_numbers_take_the_training_median_and_an_indicator(tmp_path: Path) -> None:
    column = np.arange(ROWS, dtype=float) ** 2
    column[::5] = np.nan
    data = loaded(tmp_path, column)
    assert features(data) == ["a", "a is missing"]
    number, indicator = data.split.x_train[:, :2].T
    parts = divide(described(tmp_path / "rows.csv"))
    seen = column[parts.training.rows]
    np.testing.assert_array_equal(indicator, np.isnan(seen))
    filled = np.where(np.isnan(seen), np.nanmedian(seen), seen)
    # The same sums in the same order, but for the division.
    expected = (filled - filled.mean()) / filled.std()
    np.testing.assert_allclose(number, expected, rtol=1e-12, atol=1e-12)


def test_a_mark_of_missing_is_found_however_the_file_writes_it(tmp_path: Path) -> None:
    column = np.where(np.arange(ROWS) % 3 == 0, -999.0, np.arange(ROWS))
    for read in (loaded, from_parquet):
        assert features(read(tmp_path, column, missing=["-999"])) == ["a", "a is missing"]


@pytest.mark.parametrize(
    ("column", "word"),
    [
        ([7] * ROWS, "same value"),
        ([0.1 + 1e-17] * ROWS, "same value"),
        (["x"] * ROWS, "same value"),
        (1e9 + np.arange(ROWS) % 2 * 1e-7, "same value"),  # rounding, and no measurement
        ([None] * ROWS, "no value"),
    ],
)
def test_columns_that_say_nothing_are_left_out_with_a_note(
    tmp_path: Path, column: object, word: str
) -> None:
    data = loaded(tmp_path, column)
    assert features(data) == []
    assert [note for note in data.notes if "'a'" in note and word in note]


def test_a_constant_with_gaps_keeps_its_indicator(tmp_path: Path) -> None:
    assert features(loaded(tmp_path, [5.0, None] * 30)) == ["a is missing"]


@pytest.mark.parametrize(("scale", "offset"), [(1e-120, 0), (1.0, 1e6), (1e120, 1e6)])
def test_numbers_of_any_size_become_standard(tmp_path: Path, scale: float, offset: float) -> None:
    x = loaded(tmp_path, (offset + np.arange(ROWS) % 9) * scale, "float32").split.x_train[:, 0]
    assert abs(float(x.mean())) < 1e-6  # float32 has 7 digits
    assert abs(float(x.std()) - 1) < 1e-6


def test_a_number_far_outside_the_training_rows_stays_finite(tmp_path: Path) -> None:
    data = loaded(tmp_path, np.arange(ROWS) * 1e-100, "float32")
    assert data.preparation.apply(pd.DataFrame({"a": [1e139], "b": [1]}))[0, 0] == 1e4


def test_codes_are_categories_when_they_are_named(tmp_path: Path) -> None:
    column = [f"{i % 4:03d}" for i in range(ROWS)]
    assert features(loaded(tmp_path, column)) == ["a"]
    assert features(loaded(tmp_path, column, categorical=["a"])) == ["a=0", "a=1", "a=2", "a=3"]


def test_booleans_and_mixed_values_are_categories(tmp_path: Path) -> None:
    assert features(loaded(tmp_path, [True, False] * 30)) == ["a=false", "a=true"]
    data = loaded(tmp_path, ["2", "3", "5more", "2"] * 15)
    assert features(data) == ["a=2", "a=3", "a=5more"]
    assert [note for note in data.notes if "'5more'" in note]


def test_an_id_of_numbers_is_noted(tmp_path: Path) -> None:
    (note,) = loaded(tmp_path, np.arange(ROWS) + 1000).notes
    assert 'drop = ["a"]' in note
    assert not loaded(tmp_path, np.arange(ROWS) / 7).notes


PARQUET = {
    "Int64": (pd.Series([1, 2] * 30, dtype="Int64"), ["a"]),
    "category": (pd.Series(["u", "v"] * 30, dtype="category"), ["a=u", "a=v"]),
    "boolean": (pd.Series([True, False] * 30, dtype="boolean"), ["a=false", "a=true"]),
    "float32": (pd.Series([1, 2] * 30, dtype="float32"), ["a"]),
    "str": (pd.Series(["u", "v"] * 30), ["a=u", "a=v"]),
}


@pytest.mark.parametrize("kind", PARQUET)
def test_every_type_of_a_parquet_file_is_read(tmp_path: Path, kind: str) -> None:
    column, kept = PARQUET[kind]
    assert features(from_parquet(tmp_path, column)) == kept


def test_large_codes_keep_their_last_digits_beside_gaps(tmp_path: Path) -> None:
    codes = pd.Series([2**60, 2**60 + 1, None] * 20, dtype="Int64")
    data = from_parquet(tmp_path, codes, categorical=["a"])
    assert features(data) == [f"a={2**60}", f"a={2**60 + 1}", "a is missing"]


REFUSED = {
    "dates": (pd.date_range("2024-01-01", periods=ROWS), "dates or times .*2024-01-01"),
    "days": (pd.date_range("2024-01-01", periods=ROWS).date, "dates or times .*2024-01-01"),
    "durations": (pd.to_timedelta(range(ROWS), unit="s"), "dates or times"),
    "lists": ([[1, 2]] * ROWS, "values of the type"),
    "records": ([{"k": 1}] * ROWS, "values of the type dict"),
    "bytes": ([b"\xff"] * ROWS, "values of the type bytes"),
}


@pytest.mark.parametrize("kind", REFUSED)
def test_other_types_of_a_parquet_file_are_refused(tmp_path: Path, kind: str) -> None:
    column, reason = REFUSED[kind]
    with pytest.raises(DataError, match=f"column 'a' holds {reason}.*drop = "):
        from_parquet(tmp_path, column)


@pytest.mark.parametrize(
    ("column", "reason"),
    [
        ([f"person {i}" for i in range(ROWS)], "60 different values in 60 rows"),
        ([f"2024-01-{i % 28 + 1:02d}" for i in range(ROWS)], "dates or times"),
        ([f"{i % 28 + 1:02d}.01.2024 10:30" for i in range(ROWS)], "dates or times"),
        ([f"2024-01-{i % 28 + 1:02d}T10:30:00.5+01:00" for i in range(ROWS)], "dates or times"),
    ],
)
def test_columns_that_are_no_inputs_are_refused_all_at_once(
    tmp_path: Path, column: list[str], reason: str
) -> None:
    columns = {"id": [f"u{i}" for i in range(ROWS)], "a": column, "b": range(ROWS)}
    pd.DataFrame({**columns, "label": ["n", "p"] * 30}).to_csv(tmp_path / "rows.csv", index=False)
    spec = described(tmp_path / "rows.csv")
    with pytest.raises(DataError, match=reason) as caught:
        load(spec)
    assert 'drop = ["id", "a"]' in str(caught.value)
    assert features(load(spec.model_copy(update={"drop": ("id", "a")}))) == []


def test_one_text_has_one_form() -> None:
    for value in ("1", "01", " 1 ", "1.0", "+1", 1, 1.0, np.float32(1), np.int64(1), "1e0"):
        assert canonical(value) == "1"
    assert canonical(True) == canonical("TRUE") == "true"
    assert canonical("-0012345678901234567890.0") == "-12345678901234567890"  # beyond a float
    assert canonical("-0") == "0"
    assert canonical("1e400") == "inf"
    assert canonical("v1.0") == "v1.0"
