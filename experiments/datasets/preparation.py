"""The preparation: what was learned from the training rows, and how it turns raw rows into inputs.

It is stored as JSON beside a model, and does to new rows exactly what it did to the training rows.
"""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from experiments.datasets import values
from experiments.datasets.columns import ColumnKind
from experiments.datasets.files import check_columns
from experiments.errors import DataError
from experiments.notation import Notation
from experiments.section import Positive
from experiments.wording import listed, short_repr

if TYPE_CHECKING:
    import pandas as pd

# Standardised training rows lie within sqrt(rows), far below this bound. It holds back a number in
# later rows that would overflow a network's float32 sums.
FARTHEST = 1e4
# Numbers are one number if their difference, relative to the largest, is the rounding of float64,
# or if it squares to nothing.
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
    deviation: Positive
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
    """The steps, in the order of the features that they make, the texts that mean missing, and the
    columns whose numbers are not written plainly, each with an example (`data.numbers`).
    """

    steps: tuple[Step, ...]
    missing: tuple[str, ...] = ()
    numbers: Mapping[str, str] = field(default_factory=dict)

    @property
    def features(self) -> tuple[str, ...]:
        """The names of the columns that `apply` makes."""
        return tuple(feature for step in self.steps for feature in features(step))

    @property
    def columns(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(step.column for step in self.steps))

    @property
    def blocks(self) -> Iterator[slice]:
        """The columns of `apply` that each step makes."""
        start = 0
        for step in self.steps:
            yield slice(start, start := start + len(features(step)))

    def example(self, frame: "pd.DataFrame") -> Example:
        """Return a few of the rows, those with the fewest gaps first."""
        frame = frame.iloc[:LOOKED_AT]
        columns = {step.column: self._raw(frame[step.column], step) for step in self.steps}
        table = sorted(zip(*columns.values(), strict=True), key=lambda row: row.count(None))
        return tuple(dict(zip(columns, row, strict=True)) for row in table[:FEW])

    def apply(
        self, frame: "pd.DataFrame", dtype: str = "float32", *, where: str = "the rows"
    ) -> NDArray[np.floating[Any]]:
        """Return raw rows, their columns in any order, as inputs `(rows, features)`.

        Each number is computed in float64 and rounded once to `dtype`. `where` names the rows in
        the sentence of a DataError.
        """
        check_columns(frame.columns, self.columns, where, "add or rename it")
        out = np.empty((len(frame), len(self.features)), dtype=dtype)
        for step, block in zip(self.steps, self.blocks, strict=True):
            out[:, block] = self._inputs(frame[step.column], step, where)
        return out

    def unseen(self, frame: "pd.DataFrame") -> Iterator[str]:
        """Yield a sentence for each column with categories that no training row had."""
        for step in self.steps:
            if isinstance(step, Category):
                texts = values.texts(frame[step.column], self.missing).tolist()
                new = [text for text in texts if text not in step.values]
                which = listed(["nothing" if text is None else text for text in dict.fromkeys(new)])
                if new:
                    yield (
                        f"column {short_repr(step.column)}: {len(new)} of {len(texts)} rows have"
                        f" {which}, which no training row had; that counts as no category"
                    )

    def _numbers(self, column: "pd.Series[Any]", where: str) -> NDArray[np.float64]:
        example = self.numbers.get(str(column.name))
        notation = None if example is None else Notation.of(example)
        numbers, bad = values.parse_numbers(column, self.missing, notation)
        if fault := values.fault(column, numbers, bad):
            remedy = "correct it, or leave it empty"
            raise DataError(f"{where}: column {short_repr(column.name)} {fault}: {remedy}")
        return numbers

    def _inputs(self, column: "pd.Series[Any]", step: Step, where: str) -> NDArray[Any]:
        """Return what a step makes of a column, `(rows, its features)`."""
        if isinstance(step, Category):
            numbers_of = {text: number for number, text in enumerate(step.values)}
            texts = values.texts(column, self.missing)
            codes = np.array([numbers_of.get(text, -1) for text in texts])
            one_hot: NDArray[Any] = codes[:, None] == np.arange(len(step.values))
            return one_hot
        numbers = self._numbers(column, where)
        absent = np.isnan(numbers)
        if isinstance(step, Missing):
            return absent[:, None]
        scaled = (np.where(absent, step.fill, numbers) - step.mean) / step.deviation
        return np.clip(scaled, -FARTHEST, FARTHEST)[:, None]

    def _raw(self, column: "pd.Series[Any]", step: Step) -> list[Any]:
        if isinstance(step, Category):
            return list(values.texts(column, self.missing, verbatim=True))
        return [
            None if np.isnan(number) else int(number) if number.is_integer() else number
            for number in self._numbers(column, "the rows").tolist()
        ]


def features(step: Step) -> list[str]:
    """Return the names of the inputs that a step makes."""
    if isinstance(step, Number):
        return [step.column]
    texts = step.values if isinstance(step, Category) else [None]
    missing = f"{step.column} is missing"
    return [missing if text is None else f"{step.column}={text}" for text in texts]


def fit(
    frame: "pd.DataFrame", kinds: Mapping[str, ColumnKind], missing: tuple[str, ...], where: str
) -> tuple[Preparation, tuple[str, ...]]:
    """Return what the training rows call for, and notes on what is left out."""
    steps: list[Step] = []
    left_out: dict[str, list[str]] = {"the same value": [], "no value": []}
    for name, kind in kinds.items():
        if kind.kind == "number":
            numbers = values.numbers(frame[name], missing, where, kind.notation)
            fitted, empty = _fit_number(name, numbers), bool(np.isnan(numbers).all())
        else:
            texts = set(values.texts(frame[name], missing).tolist())
            fitted, empty = _fit_category(name, texts), texts == {None}
        steps += fitted
        if not fitted:
            left_out["no value" if empty else "the same value"].append(name)
    notes = [kind.note for kind in kinds.values() if kind.note]
    for reason, names in left_out.items():
        if names:
            notes.append(f"left out, because all training rows have {reason}: {listed(names)}")
    if not steps:
        raise DataError(
            f"{where}: no column is left to learn from"
            f" ({'; '.join(notes) or 'there is none but the target'}); check data.target, data.drop"
            " and data.separator"
        )
    written = {name: kind.notation.example for name, kind in kinds.items() if kind.notation}
    return Preparation(steps=tuple(steps), missing=missing, numbers=written), tuple(notes)


def _fit_number(name: str, numbers: NDArray[np.float64]) -> list[Step]:
    absent = np.isnan(numbers)
    if absent.all():
        return []
    indicator: list[Step] = [Missing(column=name)] if absent.any() else []
    present = numbers[~absent]
    low, high = float(present.min()), float(present.max())
    if high - low <= max(ROUNDING * max(abs(low), abs(high)), SMALLEST):
        return indicator
    fill = float(np.median(present))
    numbers = np.where(absent, fill, numbers)
    mean, deviation = float(numbers.mean()), float(numbers.std())
    return [Number(column=name, fill=fill, mean=mean, deviation=deviation), *indicator]


def _fit_category(name: str, texts: Collection[str | None]) -> list[Step]:
    ordered = tuple(sorted(texts, key=lambda text: (text is None, text)))
    return [Category(column=name, values=ordered)] if len(texts) > 1 else []
