"""The values of one column, as numbers or as text: the same from a CSV, parquet or a frame."""

import re
from collections.abc import Collection
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from experiments.errors import DataError
from experiments.notation import Notation
from experiments.wording import row_number, short_repr

if TYPE_CHECKING:
    import pandas as pd

NUMBER = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?")
WHOLE = re.compile(r"[+]?(-?)0*([0-9]+)\.?0*")
FEW_DIFFERENT = 20  # up to so many values, numbers may be categories
# its square, summed over any table, is still a float64: mean and deviation cannot overflow
LARGEST = 1e140


def parse_numbers(
    column: "pd.Series[Any]", missing: Collection[str], notation: Notation | None = None
) -> tuple[NDArray[np.float64], int | None]:
    """Return the column with NaN where it is missing, and the index of its first other text.

    `notation` is how a column of text writes its numbers, None if plainly.
    """
    import pandas as pd
    import pyarrow as pa
    import pyarrow.compute as pc

    bad: int | None = None
    if column.dtype.kind in "biuf":
        numbers = column.to_numpy(np.float64, na_value=np.nan)
    else:
        marks = pa.array(list(missing), pa.large_string())
        if notation and column.dtype == object:  # numbers among texts, as JSON or Excel has them
            column = column.map(
                lambda value: value if isinstance(value, str) else notation.write(value),
                na_action="ignore",
            )
        texts = pc.utf8_trim_whitespace(pa.array(as_texts(column), pa.large_string()))
        texts = pc.if_else(pc.is_in(texts, value_set=marks), None, texts)
        present = texts.is_valid().to_numpy(zero_copy_only=False)
        texts = texts if notation is None else notation.plain(texts)
        try:
            numbers = texts.cast(pa.float64()).to_numpy(zero_copy_only=False)
            wrong = present & ~texts.is_valid().to_numpy(zero_copy_only=False)
        except pa.ArrowInvalid:
            numbers = pd.to_numeric(texts.to_pandas(), errors="coerce").to_numpy(
                np.float64, na_value=np.nan
            )
            wrong = present & np.isnan(numbers)
        bad = int(wrong.argmax()) if wrong.any() else None
    # A parquet file holds a mark such as -999 as a number.
    is_mark = np.isin(numbers, [float(text) for text in missing if NUMBER.fullmatch(text)])
    return np.where(is_mark, np.nan, numbers) if is_mark.any() else numbers, bad


def numbers(
    column: "pd.Series[Any]",
    missing: Collection[str],
    where: str,
    notation: Notation | None = None,
    remedy: str = "correct it, or add it to data.missing",
) -> NDArray[np.float64]:
    """Return the column as float64 with NaN where it is missing; other text is an error."""
    values, bad = parse_numbers(column, missing, notation)
    if reason := fault(column, values, bad):
        raise DataError(f"{where}: column {short_repr(column.name)} {reason}: {remedy}")
    return values


def fault(column: "pd.Series[Any]", values: NDArray[np.float64], bad: int | None) -> str:
    """Return why values of `parse_numbers` are not all numbers to compute with, if so."""
    if bad is not None:
        return f"holds {short_repr(column.iloc[bad])} in {row_number(bad)}, and otherwise numbers"
    beyond = np.abs(values) > LARGEST
    if not beyond.any():
        return ""
    index = int(beyond.argmax())
    what = f"holds {short_repr(column.iloc[index])} in {row_number(index)}"
    return f"{what}; a number must be finite and below {LARGEST:g} in size"


def texts(
    column: "pd.Series[Any]", missing: Collection[str], *, verbatim: bool = False
) -> NDArray[np.object_]:
    """Return a column as text, None if it is missing; numbers and other text are canonical."""
    import pandas as pd

    codes, uniques = pd.factorize(column if column.dtype.kind in "biuf" else as_texts(column))
    table: list[str | None] = []
    for value in uniques.tolist():  # each value once, however many rows
        as_it_stands = verbatim and isinstance(value, str | bool)
        text = str(value).strip() if as_it_stands else canonical(value)
        table.append(None if text in missing else text)
    return np.array([*table, None], dtype=object)[codes]  # a missing value has the code -1


def different(column: "pd.Series[Any]", missing: Collection[str]) -> list[str]:
    """Return the different texts of a column as they stand, without blanks around them, in the
    order of their first rows; none of the missing.
    """
    texts = as_texts(column).dropna().str.strip().unique()
    return [text for text in texts if text not in missing]


def as_texts(column: "pd.Series[Any]") -> "pd.Series[Any]":
    """Return a column of text or of objects of any kind as text; missing values stay missing."""
    if column.dtype == "str":
        return column
    present = column.notna()
    return column.astype(object).where(present, None).map(str, na_action="ignore").astype("str")


def canonical(value: object) -> str:
    """Return one text for one meaning: `1` for 01, 1 and 1.0; `true` for True."""
    text = str(value).strip()
    if not NUMBER.fullmatch(text):
        return text.lower() if text.lower() in ("true", "false") else text
    if whole := WHOLE.fullmatch(text):
        sign, digits = whole.groups()
        return digits if digits == "0" else sign + digits
    number = float(text)
    return str(int(number)) if abs(number) < 1e15 and number.is_integer() else repr(number)
