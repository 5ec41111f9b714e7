"""The preparation: what was learned from the training rows about each column, and how it turns raw
rows into inputs.

It is a few numbers and words in frozen records, so that it can be stored as JSON beside a model and
do to new rows, as they stand in somebody's CSV, exactly what it did to the training rows.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from experiments.datasets import values
from experiments.datasets.files import check_columns
from experiments.errors import DataError
from experiments.wording import short_repr

if TYPE_CHECKING:
    import pandas as pd

# Standardised training rows lie within sqrt(rows), so this bound never touches them. It holds back
# a number that is seen first in later rows and lies so far out that a network's float32 sums would
# overflow.
FARTHEST = 1e4
FEW, LOOKED_AT = 3, 100  # rows of an example, chosen among so many

Example = tuple[Mapping[str, int | float | str | None], ...]
"""A few raw rows as JSON values, by column: what somebody might ask a model about."""


@dataclass(frozen=True, kw_only=True)
class Number:
    """A column of numbers: missing is `fill` (the median), then (number - mean) / deviation."""

    column: str
    fill: float
    mean: float
    deviation: float
    kind: Literal["number"] = "number"


@dataclass(frozen=True, kw_only=True)
class Missing:
    """Whether a column of numbers is missing: 1 or 0."""

    column: str
    kind: Literal["missing"] = "missing"


@dataclass(frozen=True, kw_only=True)
class Category:
    """A column of categories: 1 for its value and 0 for the others; all 0 for an unseen value. The
    value None is missing.
    """

    column: str
    values: tuple[str | None, ...]
    kind: Literal["category"] = "category"


Step = Number | Missing | Category


@dataclass(frozen=True, kw_only=True)
class Preparation:
    """The steps, in the order of the features that they make, and the texts that mean missing."""

    steps: tuple[Step, ...]
    missing: tuple[str, ...] = ()

    @property
    def features(self) -> tuple[str, ...]:
        """The names of the columns that `apply` makes."""
        return tuple(feature for step in self.steps for feature in _features(step))

    @property
    def columns(self) -> tuple[str, ...]:
        """The names of the raw columns that `apply` needs."""
        return tuple(dict.fromkeys(step.column for step in self.steps))

    def example(self, frame: "pd.DataFrame", rows: NDArray[np.int64]) -> Example:
        """Return a few of the given rows with the fewest values missing, in the columns that
        `apply` needs.
        """
        frame = frame.iloc[rows[:LOOKED_AT]]
        columns = {step.column: _raw(frame[step.column], step, self.missing) for step in self.steps}
        table = sorted(zip(*columns.values(), strict=True), key=lambda row: row.count(None))
        return tuple(dict(zip(columns, row, strict=True)) for row in table[:FEW])

    def apply(
        self,
        frame: "pd.DataFrame",
        dtype: str = "float32",
        *,
        rows: NDArray[np.int64] | None = None,
        where: str = "the rows",
    ) -> NDArray[np.floating[Any]]:
        """Return raw rows (all, or those of the given indices) as inputs `(rows, features)`;
        columns may stand in any order.

        Each number is computed in float64 and rounded once to `dtype`. Raises DataError where a
        column is not there, or a value in a column of numbers is none; `where` names the rows in
        that sentence.
        """
        check_columns(frame.columns, self.columns, where, "add or rename it")
        frame = frame if rows is None else frame.iloc[rows]
        out = np.empty((len(frame), len(self.features)), dtype=dtype)
        start = 0
        for step in self.steps:
            column = frame[step.column]
            if column.ndim != 1:
                raise DataError(
                    f"{where}: the column {short_repr(step.column)} is there more than once; leave"
                    " one"
                )
            end = start + len(_features(step))
            out[:, start:end] = _inputs(column, step, self.missing, where)
            start = end
        return out

    def as_json(self) -> dict[str, Any]:
        """Return the preparation as plain JSON values."""
        return asdict(self)

    @classmethod
    def from_json(cls, table: Mapping[str, Any]) -> "Preparation":
        """Return the preparation that `as_json` gave, also after it went through a file."""
        from pydantic import TypeAdapter

        return TypeAdapter(cls).validate_python(table)


def _features(step: Step) -> list[str]:
    """Return the names of the inputs that a step makes."""
    if isinstance(step, Number):
        return [step.column]
    texts = step.values if isinstance(step, Category) else [None]
    missing = f"{step.column} is missing"
    return [missing if text is None else f"{step.column}={text}" for text in texts]


def _inputs(
    column: "pd.Series[Any]", step: Step, missing: tuple[str, ...], where: str
) -> NDArray[Any]:
    """Return what a step makes of a column, `(rows, its features)`."""
    if isinstance(step, Category):
        numbers_of = {text: number for number, text in enumerate(step.values)}
        codes = np.array([numbers_of.get(text, -1) for text in values.texts(column, missing)])
        one_hot: NDArray[Any] = codes[:, None] == np.arange(len(step.values))
        return one_hot
    numbers = values.numbers(column, missing, where)
    absent = np.isnan(numbers)
    if isinstance(step, Missing):
        return absent[:, None]
    scaled = (np.where(absent, step.fill, numbers) - step.mean) / step.deviation
    return np.clip(scaled, -FARTHEST, FARTHEST)[:, None]


def _raw(column: "pd.Series[Any]", step: Step, missing: tuple[str, ...]) -> list[Any]:
    """Return the values of a column as JSON has them."""
    if isinstance(step, Category):
        return list(values.labels(column, missing))
    numbers = values.numbers(column, missing, "the rows").tolist()
    return [
        None if np.isnan(number) else int(number) if number.is_integer() else number
        for number in numbers
    ]
