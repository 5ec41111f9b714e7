"""The fitting: what the training rows, and only these, say about each column."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from experiments.datasets import values
from experiments.datasets.columns import Verdict
from experiments.datasets.preparation import Category, Missing, Number, Preparation, Step
from experiments.datasets.wording import listed, shown, toml_list
from experiments.errors import DataError

if TYPE_CHECKING:
    import pandas as pd

MOST_FEATURES = (
    100_000  # a first layer of 64 neurons then has 6.4 million weights, and each row 0.4 MB
)
# Numbers that differ by less than this are one number: a difference of this size, relative to the
# largest, is the rounding of float64 (a mean or a deviation of it would be noise), and one below
# the second squares to nothing.
ROUNDING = 8 * float(np.finfo(np.float64).eps)
SMALLEST = 1e-140


def fit(
    frame: "pd.DataFrame",
    rows: NDArray[np.int64],
    verdicts: Mapping[str, Verdict],
    missing: tuple[str, ...],
    where: str,
) -> tuple[Preparation, tuple[str, ...]]:
    """The preparation that the training `rows` of the frame call for, and notes on what is left
    out.

    Raises DataError where nothing is left to learn from, or far too much.
    """
    steps: list[Step] = []
    empty, constant = [], []
    for name, verdict in verdicts.items():
        column = frame[name].iloc[rows]
        fitted = (
            _fit_category(column, missing)
            if verdict.kind == "category"
            else _fit_number(column, missing, where)
        )
        if fitted is None:
            empty.append(name)
        elif not fitted:
            constant.append(name)
        else:
            steps += fitted
    notes = [verdict.note for verdict in verdicts.values() if verdict.note]
    notes += _left_out(
        constant,
        "the same value in every training row",
        "the same value each in every training row",
    )
    notes += _left_out(empty, "no value in any training row", "no value in any training row")
    preparation = Preparation(steps=tuple(steps), missing=missing)
    count = len(preparation.features)
    if count == 0:
        raise DataError(
            f"{where}: no column is left to learn from"
            f" ({'; '.join(notes) or 'there is none but the target'}); check data.target, data.drop"
            " and data.separator"
        )
    if count > MOST_FEATURES:
        widest = sorted(steps, key=lambda step: -len(step.features))[:3]
        raise DataError(
            f"{where}: {len(verdicts)} columns become {count:,} inputs, and at most"
            f" {MOST_FEATURES:,} are allowed; leave the widest out, such as drop ="
            f" {toml_list([step.column for step in widest])} under [data]"
        )
    return preparation, tuple(notes)


def _left_out(names: Sequence[str], one: str, many: str) -> list[str]:
    if not names:
        return []
    return [
        (
            f"column {shown(names[0])} is left out: {one}"
            if len(names) == 1
            else f"{len(names)} columns are left out: {many}: {listed(names)}"
        )
    ]


def _fit_number(
    column: "pd.Series[Any]", missing: tuple[str, ...], where: str
) -> list[Step] | None:
    """The steps of a column of numbers; none where it is constant, None where it is all missing."""
    name = str(column.name)
    numbers = values.numbers(column, missing, where)
    absent = np.isnan(numbers)
    if absent.all():
        return None
    indicator: list[Step] = [Missing(column=name)] if absent.any() else []
    present = numbers[~absent] if indicator else numbers
    low, high = float(present.min()), float(present.max())
    if high - low <= max(ROUNDING * max(abs(low), abs(high)), SMALLEST):
        return indicator
    fill = float(np.median(present))
    numbers = np.where(absent, fill, numbers)
    return [
        Number(column=name, fill=fill, mean=float(numbers.mean()), deviation=float(numbers.std())),
        *indicator,
    ]


def _fit_category(column: "pd.Series[Any]", missing: tuple[str, ...]) -> list[Step] | None:
    """The steps of a column of categories; none where it is constant, None where it is all missing."""
    seen = set(values.texts(column, missing).tolist())
    if seen == {None}:
        return None
    names = (*sorted(seen - {None}), *([None] if None in seen else []))
    return [Category(column=str(column.name), values=names)] if len(names) > 1 else []
