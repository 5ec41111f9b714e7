"""The preparation: what was learned from the training rows about each column, and how it turns raw
rows into inputs.

It is a few numbers and words in frozen records, so that it can be stored as JSON beside a model and
do to new rows, as they stand in somebody's CSV, exactly what it did to the training rows.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from experiments.datasets import values
from experiments.datasets.wording import hint, listed, shown
from experiments.errors import DataError

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

    kind: ClassVar[str] = "number"
    column: str
    fill: float
    mean: float
    deviation: float

    @property
    def features(self) -> tuple[str, ...]:
        """The names of what it makes."""
        return (self.column,)

    def write(
        self,
        column: "pd.Series[Any]",
        missing: tuple[str, ...],
        where: str,
        out: NDArray[np.floating[Any]],
    ) -> None:
        """Write the column to `out` `(rows, 1)`."""
        numbers = values.numbers(column, missing, where)
        numbers = np.where(np.isnan(numbers), self.fill, numbers)
        out[:, 0] = np.clip((numbers - self.mean) / self.deviation, -FARTHEST, FARTHEST)


@dataclass(frozen=True, kw_only=True)
class Missing:
    """Whether a column of numbers is missing: 1 or 0."""

    kind: ClassVar[str] = "missing"
    column: str

    @property
    def features(self) -> tuple[str, ...]:
        """The names of what it makes."""
        return (f"{self.column} is missing",)

    def write(
        self,
        column: "pd.Series[Any]",
        missing: tuple[str, ...],
        where: str,
        out: NDArray[np.floating[Any]],
    ) -> None:
        """Write the indicator to `out` `(rows, 1)`."""
        out[:, 0] = np.isnan(values.numbers(column, missing, where))


@dataclass(frozen=True, kw_only=True)
class Category:
    """A column of categories: 1 for its value and 0 for the others; all 0 for an unseen value. The
    value None is missing.
    """

    kind: ClassVar[str] = "category"
    column: str
    values: tuple[str | None, ...]

    @property
    def features(self) -> tuple[str, ...]:
        """The names of what it makes."""
        return tuple(
            f"{self.column} is missing" if value is None else f"{self.column}={value}"
            for value in self.values
        )

    def write(
        self,
        column: "pd.Series[Any]",
        missing: tuple[str, ...],
        where: str,
        out: NDArray[np.floating[Any]],
    ) -> None:
        """Write the one-hot code to `out` `(rows, values)`."""
        numbers = {value: index for index, value in enumerate(self.values)}
        codes = np.array(
            [numbers.get(text, -1) for text in values.texts(column, missing)], dtype=np.int64
        )
        out[:] = 0
        seen = np.flatnonzero(codes >= 0)
        out[seen, codes[seen]] = 1


Step = Number | Missing | Category


@dataclass(frozen=True, kw_only=True)
class Preparation:
    """The steps, in the order of the features that they make, and the texts that mean missing."""

    steps: tuple[Step, ...]
    missing: tuple[str, ...] = ()

    @property
    def features(self) -> tuple[str, ...]:
        """The names of the columns that `apply` makes."""
        return tuple(feature for step in self.steps for feature in step.features)

    @property
    def columns(self) -> tuple[str, ...]:
        """The names of the raw columns that `apply` needs."""
        return tuple(dict.fromkeys(step.column for step in self.steps))

    def example(self, frame: "pd.DataFrame", rows: NDArray[np.int64]) -> Example:
        """Of the first rows of the given indices a few with the fewest values missing, in the
        columns that `apply` needs.
        """
        frame = frame.iloc[rows[:LOOKED_AT]]
        categories = {step.column for step in self.steps if isinstance(step, Category)}
        columns = {
            name: self._raw(frame[name], category=name in categories) for name in self.columns
        }
        table = sorted(zip(*columns.values(), strict=True), key=lambda row: row.count(None))
        return tuple(dict(zip(columns, row, strict=True)) for row in table[:FEW])

    def _raw(self, column: "pd.Series[Any]", *, category: bool) -> list[Any]:
        if category:
            return list(values.labels(column, self.missing))
        numbers = values.numbers(column, self.missing, "the rows").tolist()
        return [
            None if np.isnan(number) else int(number) if number.is_integer() else number
            for number in numbers
        ]

    def apply(
        self,
        frame: "pd.DataFrame",
        dtype: str = "float32",
        *,
        rows: NDArray[np.int64] | None = None,
        where: str = "the rows",
    ) -> NDArray[np.floating[Any]]:
        """Raw rows (all, or those of the given indices) as inputs `(rows, features)`; columns may
        stand in any order.

        Each number is computed in float64 and rounded once to `dtype`. Raises DataError where a
        column is not there, or a value in a column of numbers is none; `where` names the rows in
        that sentence.
        """
        names = [str(name) for name in frame.columns]
        present = set(names)
        lacking = [name for name in self.columns if name not in present]
        if lacking:
            raise DataError(
                f"{where}: there is no column {listed(lacking)}; {hint(lacking[0], names)}: add or"
                " rename it"
            )
        out = np.empty((len(frame) if rows is None else len(rows), len(self.features)), dtype=dtype)
        start = 0
        for step in self.steps:
            column = frame[step.column]
            if not hasattr(column, "iloc") or column.ndim != 1:
                raise DataError(
                    f"{where}: the column {shown(step.column)} is there more than once; leave one"
                )
            end = start + len(step.features)
            step.write(
                column if rows is None else column.iloc[rows],
                self.missing,
                where,
                out[:, start:end],
            )
            start = end
        return out

    def as_json(self) -> dict[str, Any]:
        """The preparation as plain JSON values."""
        return {
            "missing": list(self.missing),
            "steps": [{"kind": step.kind, **asdict(step)} for step in self.steps],
        }

    @classmethod
    def from_json(cls, table: Mapping[str, Any]) -> "Preparation":
        """The preparation that `as_json` gave, also after it went through a file."""
        return cls(
            steps=tuple(_step(entry) for entry in table["steps"]), missing=tuple(table["missing"])
        )


def _step(entry: Mapping[str, Any]) -> Step:
    kinds: dict[str, Any] = {step.kind: step for step in (Number, Missing, Category)}
    facts = {
        key: tuple(value) if isinstance(value, list) else value
        for key, value in entry.items()
        if key != "kind"
    }
    step: Step = kinds[entry["kind"]](**facts)
    return step
