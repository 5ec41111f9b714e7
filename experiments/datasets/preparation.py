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
from experiments.datasets.columns import ColumnKind
from experiments.datasets.files import check_columns
from experiments.errors import DataError
from experiments.wording import listed, short_repr

if TYPE_CHECKING:
    import pandas as pd

# Standardised training rows lie within sqrt(rows), so this bound never touches them. It holds back
# a number that is seen first in later rows and lies so far out that a network's float32 sums would
# overflow.
FARTHEST = 1e4
# Numbers that differ by less than this are one number: a difference of this size, relative to the
# largest, is the rounding of float64 (a mean or a deviation of it would be noise), and one below
# the second squares to nothing.
ROUNDING = 8 * float(np.finfo(np.float64).eps)
SMALLEST = 1e-140
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
    """A column of categories: 1 for its value (None is missing), 0 for the others."""

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
        """Return a few of the given rows, those with the fewest gaps first."""
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
        """Return raw rows (all, or those of the given indices) as inputs `(rows, features)`.

        Columns may stand in any order. Each number is computed in float64 and rounded once to
        `dtype`. `where` names the rows in the sentence of a DataError.
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


def fit(
    frame: "pd.DataFrame",
    rows: NDArray[np.int64],
    kinds: Mapping[str, ColumnKind],
    missing: tuple[str, ...],
    where: str,
) -> tuple[Preparation, tuple[str, ...]]:
    """Return what the training `rows` of the frame call for, and notes on what is left out."""
    steps: list[Step] = []
    empty, constant = [], []
    for name, kind in kinds.items():
        column = frame[name].iloc[rows]
        if kind.kind == "category":
            fitted = _fit_category(column, missing)
        else:
            fitted = _fit_number(column, missing, where)
        if fitted is None:
            empty.append(name)
        elif not fitted:
            constant.append(name)
        else:
            steps += fitted
    notes = [kind.note for kind in kinds.values() if kind.note]
    for names, reason in ((constant, "the same value"), (empty, "no value")):
        if names:
            notes.append(f"left out, because all training rows have {reason}: {listed(names)}")
    if not steps:
        raise DataError(
            f"{where}: no column is left to learn from"
            f" ({'; '.join(notes) or 'there is none but the target'}); check data.target, data.drop"
            " and data.separator"
        )
    return Preparation(steps=tuple(steps), missing=missing), tuple(notes)


def _fit_number(
    column: "pd.Series[Any]", missing: tuple[str, ...], where: str
) -> list[Step] | None:
    """Return the steps of a column of numbers: none if it is constant, None if it is all gaps."""
    name = str(column.name)
    numbers = values.numbers(column, missing, where)
    absent = np.isnan(numbers)
    if absent.all():
        return None
    indicator: list[Step] = [Missing(column=name)] if absent.any() else []
    present = numbers[~absent]
    low, high = float(present.min()), float(present.max())
    if high - low <= max(ROUNDING * max(abs(low), abs(high)), SMALLEST):
        return indicator
    fill = float(np.median(present))
    numbers = np.where(absent, fill, numbers)
    mean, deviation = float(numbers.mean()), float(numbers.std())
    return [Number(column=name, fill=fill, mean=mean, deviation=deviation), *indicator]


def _fit_category(column: "pd.Series[Any]", missing: tuple[str, ...]) -> list[Step] | None:
    """Return the step of a column of categories: none if constant, None if it is all gaps."""
    seen = set(values.texts(column, missing).tolist())
    if seen == {None}:
        return None
    names = (*sorted(seen - {None}), *([None] if None in seen else []))
    return [Category(column=str(column.name), values=names)] if len(names) > 1 else []
