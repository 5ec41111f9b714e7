"""The fitting: what the training rows, and only these, say about each column."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from experiments.datasets import values
from experiments.datasets.columns import ColumnKind
from experiments.datasets.preparation import Category, Missing, Number, Preparation, Step
from experiments.errors import DataError
from experiments.wording import listed, short_repr

if TYPE_CHECKING:
    import pandas as pd

# Numbers that differ by less than this are one number: a difference of this size, relative to the
# largest, is the rounding of float64 (a mean or a deviation of it would be noise), and one below
# the second squares to nothing.
ROUNDING = 8 * float(np.finfo(np.float64).eps)
SMALLEST = 1e-140


def fit(
    frame: "pd.DataFrame",
    rows: NDArray[np.int64],
    kinds: Mapping[str, ColumnKind],
    missing: tuple[str, ...],
    where: str,
) -> tuple[Preparation, tuple[str, ...]]:
    """Return the preparation that the training `rows` of the frame call for, and notes on what is
    left out. Raises DataError where nothing is left to learn from.
    """
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
    notes += _left_out(constant, "the same value {}in every training row")
    notes += _left_out(empty, "no value in any training row")
    if not steps:
        raise DataError(
            f"{where}: no column is left to learn from"
            f" ({'; '.join(notes) or 'there is none but the target'}); check data.target, data.drop"
            " and data.separator"
        )
    return Preparation(steps=tuple(steps), missing=missing), tuple(notes)


def _left_out(names: Sequence[str], reason: str) -> list[str]:
    if not names:
        return []
    if len(names) == 1:
        return [f"column {short_repr(names[0])} is left out: {reason.format('')}"]
    return [f"{len(names)} columns are left out: {reason.format('each ')}: {listed(names)}"]


def _fit_number(
    column: "pd.Series[Any]", missing: tuple[str, ...], where: str
) -> list[Step] | None:
    """Return the steps of a column of numbers; none where it is constant, None where it is all
    missing.
    """
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
    """Return the step of a column of categories; none where it is constant, None where it is all
    missing.
    """
    seen = set(values.texts(column, missing).tolist())
    if seen == {None}:
        return None
    names = (*sorted(seen - {None}), *([None] if None in seen else []))
    return [Category(column=str(column.name), values=names)] if len(names) > 1 else []
