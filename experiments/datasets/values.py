"""The values of one column, read as numbers or as text: the same from a CSV, a parquet file or a
frame made by pandas.
"""

import re
from collections.abc import Collection
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from experiments.datasets.wording import row, shown
from experiments.errors import DataError

if TYPE_CHECKING:
    import pandas as pd

NUMBER = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?")
# its square, summed over any table, is still a float64: mean and deviation cannot overflow
LARGEST = 1e140
LONGEST_INTEGER = 4000  # digits; Python's own limit for reading an int is 4,300


def parse_numbers(
    column: "pd.Series[Any]", missing: Collection[str]
) -> tuple[NDArray[np.float64], int | None]:
    """The column as float64 with NaN where it is missing, and the index of the first value that is
    no number (or None).
    """
    import pandas as pd
    import pyarrow as pa
    import pyarrow.compute as pc

    bad: int | None = None
    if column.dtype.kind in "biuf":
        numbers = column.to_numpy(np.float64, na_value=np.nan)
    else:
        texts = pc.utf8_trim_whitespace(pa.array(as_str(column), pa.large_string()))
        texts = pc.if_else(
            pc.is_in(texts, value_set=pa.array(list(missing), pa.large_string())), None, texts
        )
        try:
            numbers = texts.cast(pa.float64()).to_numpy(zero_copy_only=False)
        except pa.ArrowInvalid:
            numbers = pd.to_numeric(texts.to_pandas(), errors="coerce").to_numpy(
                np.float64, na_value=np.nan
            )
            wrong = np.isnan(numbers) & ~pc.is_null(texts).to_numpy(zero_copy_only=False)
            bad = int(wrong.argmax()) if wrong.any() else None
    marks = [float(text) for text in missing if NUMBER.fullmatch(text)]
    if (
        marks and np.isin(numbers, marks).any()
    ):  # such as -999, which a parquet file holds as a number
        numbers = np.where(np.isin(numbers, marks), np.nan, numbers)
    return numbers, bad


def numbers(column: "pd.Series[Any]", missing: Collection[str], where: str) -> NDArray[np.float64]:
    """The column as float64 with NaN where it is missing. Raises DataError where a value is no
    number, or beyond all measure.
    """
    values, bad = parse_numbers(column, missing)
    place = f"{where}: column {shown(column.name)} holds"
    if bad is not None:
        raise DataError(
            f"{place} {shown(column.iloc[bad])} in {row(bad)}, and otherwise numbers; correct it,"
            " or add it to data.missing, or, if the numbers are codes, name the column in"
            " data.categorical"
        )
    with np.errstate(invalid="ignore"):
        beyond = np.abs(values) > LARGEST
    if beyond.any():
        index = int(beyond.argmax())
        raise DataError(
            f"{place} {shown(column.iloc[index])} in {row(index)}; a number must be finite and"
            f" below {LARGEST:g} in size: correct it, or add it to data.missing"
        )
    return values


def texts(column: "pd.Series[Any]", missing: Collection[str]) -> NDArray[np.object_]:
    """The column as canonical text, with None where it is missing."""
    return _mapped(column, missing, canonical)


def labels(column: "pd.Series[Any]", missing: Collection[str]) -> NDArray[np.object_]:
    """The column as labels: text as it stands in the file, numbers and booleans in their canonical
    form; None where missing.
    """
    return _mapped(column, missing, _label)


def _label(value: object) -> str:
    return str(value).strip() if isinstance(value, str | bool) else canonical(value)


def _mapped(
    column: "pd.Series[Any]", missing: Collection[str], function: Any
) -> NDArray[np.object_]:
    import pandas as pd

    if column.dtype.kind not in "biuf":
        column = as_str(column)
    codes, uniques = pd.factorize(column)
    names = [function(value) for value in uniques.tolist()]  # each value once, however many rows
    table = np.array([None if name in missing else name for name in names] + [None], dtype=object)
    return table[codes]  # a missing value has the code -1, the last entry


def as_str(column: "pd.Series[Any]") -> "pd.Series[Any]":
    """A column of text, categories, or objects of any kind, as text; missing values stay missing."""
    if column.dtype == "str":
        return column
    present = column.notna()
    return column.astype(object).where(present, None).map(str, na_action="ignore").astype("str")


def canonical(value: object) -> str:
    """One text for one meaning, however a reader typed it: "1", "01", 1 and 1.0 are "1"; "True" and
    True are "true".
    """
    text = str(value).strip()
    if not NUMBER.fullmatch(text):
        return text.lower() if text.lower() in ("true", "false") else text
    digits, _, zeros = text.partition(".")
    if (
        not zeros.strip("0")
        and "e" not in digits.lower()
        and digits.strip("+-")
        and len(digits) <= LONGEST_INTEGER
    ):
        return str(int(digits))
    number = float(text)
    return str(int(number)) if abs(number) < 1e15 and number.is_integer() else repr(number)
