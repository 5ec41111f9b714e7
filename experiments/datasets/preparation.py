"""The preparation: what was learned from the training rows, and how it turns raw rows into inputs.

It is stored as JSON beside a model, and does to new rows exactly what it did to the training rows.
"""

import warnings
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
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

Columns = Mapping[str, NDArray[Any]]
"""The values of columns by name: numbers as float64 with NaN, categories as text with None."""

Example = tuple[Mapping[str, int | float | str | None], ...]
"""A few raw rows as JSON values, by column: what somebody might ask a model about."""


class UnseenCategories(UserWarning):
    """New rows have categories that no training row had."""


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
    columns whose numbers are not written plainly, each with an example (`data.numbers`). `unknown`
    are the places of features that are always 0.
    """

    steps: tuple[Step, ...]
    missing: tuple[str, ...] = ()
    numbers: Mapping[str, str] = field(default_factory=dict)
    unknown: tuple[int, ...] = ()

    @property
    def features(self) -> tuple[str, ...]:
        """The names of the columns that `apply` makes."""
        return tuple(feature for step in self.steps for feature in features(step))

    @property
    def columns(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(step.column for step in self.steps))

    def example(self, frame: "pd.DataFrame") -> Example:
        """Return a few of the rows, those with the fewest gaps first."""
        columns: dict[str, list[Any]] = {}
        for name, column in self._read(frame.iloc[:LOOKED_AT], "the rows").items():
            if column.dtype == object:
                column = values.texts(frame[name].iloc[:LOOKED_AT], self.missing, verbatim=True)
            columns[name] = list(map(_as_json, column.tolist()))
        table = sorted(zip(*columns.values(), strict=True), key=lambda row: row.count(None))
        return tuple(dict(zip(columns, row, strict=True)) for row in table[:FEW])

    def apply(
        self, frame: "pd.DataFrame", dtype: str = "float32", *, where: str = "the rows"
    ) -> NDArray[np.floating[Any]]:
        """Return raw rows, their columns in any order, as inputs `(rows, features)`, and warn of
        categories that no training row had.

        `where` names the rows in the sentence of a DataError.
        """
        columns = self._read(frame, where)
        for step in self.steps:
            if isinstance(step, Category):
                known = set(step.values)
                new = [text for text in columns[step.column] if text not in known]
                which = listed(["nothing" if text is None else text for text in dict.fromkeys(new)])
                if new:
                    sentence = (
                        f"column {short_repr(step.column)}: {len(new)} of {len(frame)} rows have"
                        f" {which}, which no training row had; that counts as no category"
                    )
                    warnings.warn(sentence, UnseenCategories, stacklevel=4)  # predict(), above
        return self.transform(columns, dtype)

    def transform(self, columns: Columns, dtype: str) -> NDArray[np.floating[Any]]:
        """Return columns that were read, as inputs `(rows, features)`: each number is computed in
        float64 and rounded once to `dtype`.
        """
        rows = len(next(iter(columns.values())))
        out = np.empty((rows, len(self.features)), dtype=dtype)
        start = 0
        for step in self.steps:
            block = _inputs(columns[step.column], step)
            out[:, start : (start := start + block.shape[1])] = block
        out[:, list(self.unknown)] = 0
        return out

    def refit(self, columns: Columns) -> "Preparation":
        """Return the preparation with the same features and the numbers of other rows. What those
        say nothing of, because they have one value or no such category, is always 0.
        """
        steps: list[Step] = []
        known: list[bool] = []
        for step in self.steps:
            column = columns[step.column]
            if isinstance(step, Category):
                seen = {text for one in _fit_category(step.column, column) for text in one.values}
                known += [text in seen for text in step.values]
            else:
                fitted = _fit_number(step.column, column)
                same = [one for one in fitted if one.kind == step.kind]
                known.append(bool(same))
                step = same[0] if same else step
            steps.append(step)
        unknown = tuple(place for place, is_known in enumerate(known) if not is_known)
        return replace(self, steps=tuple(steps), unknown=unknown)

    def _read(self, frame: "pd.DataFrame", where: str) -> Columns:
        check_columns(frame.columns, self.columns, where, "add or rename it")
        read: dict[str, NDArray[Any]] = {}
        for step in self.steps:
            name, column = step.column, frame[step.column]
            if isinstance(step, Category):
                read[name] = values.texts(column, self.missing)
            elif name not in read:
                notation = Notation.of(self.numbers[name]) if name in self.numbers else None
                remedy = "correct it, or leave it empty"
                read[name] = values.numbers(column, self.missing, where, notation, remedy)
        return read


def _inputs(column: NDArray[Any], step: Step) -> NDArray[Any]:
    """Return what a step makes of a column, `(rows, its features)`."""
    if isinstance(step, Category):
        numbers_of = {text: number for number, text in enumerate(step.values)}
        codes = np.array([numbers_of.get(text, -1) for text in column])
        one_hot: NDArray[Any] = codes[:, None] == np.arange(len(step.values))
        return one_hot
    inputs: NDArray[Any] = np.isnan(column)
    if isinstance(step, Number):
        scaled = (np.where(inputs, step.fill, column) - step.mean) / step.deviation
        inputs = np.clip(scaled, -FARTHEST, FARTHEST)
    return inputs[:, None]


def _as_json(value: float | str | None) -> int | float | str | None:
    if not isinstance(value, float):
        return value
    return None if np.isnan(value) else int(value) if value.is_integer() else value


def features(step: Step) -> list[str]:
    """Return the names of the inputs that a step makes."""
    if isinstance(step, Number):
        return [step.column]
    texts = step.values if isinstance(step, Category) else [None]
    missing = f"{step.column} is missing"
    return [missing if text is None else f"{step.column}={text}" for text in texts]


def fit(
    columns: Columns, kinds: Mapping[str, ColumnKind], missing: tuple[str, ...], where: str
) -> tuple[Preparation, tuple[str, ...]]:
    """Return what the training rows call for, and notes on what is left out."""
    import pandas as pd

    steps: list[Step] = []
    left_out: dict[str, list[str]] = {"the same value": [], "no value": []}
    for name, kind in kinds.items():
        fitted = (_fit_number if kind.kind == "number" else _fit_category)(name, columns[name])
        steps += fitted
        if not fitted:  # all values are alike
            reason = "no value" if pd.isna(columns[name][0]) else "the same value"
            left_out[reason].append(name)
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


def _fit_category(name: str, texts: NDArray[np.object_]) -> list[Category]:
    ordered = tuple(sorted(set(texts), key=lambda text: (text is None, text)))
    return [Category(column=name, values=ordered)] if len(ordered) > 1 else []
