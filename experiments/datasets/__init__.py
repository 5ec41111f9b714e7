"""The data: a bundled name or a file as a Split, with what happened to its columns.

Whatever cannot be used raises DataError: file, column or key, value, rule and remedy in a sentence.
"""

import functools
import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from experiments.data_section import Data
from experiments.datasets import labels, leaks
from experiments.datasets.bundled import BUNDLED
from experiments.datasets.leaks import Leak
from experiments.datasets.parts import PARTS, Part, divide
from experiments.datasets.preparation import Example, Preparation, fit
from nnreg import Split, Splits

__all__ = ["BUNDLED", "Dataset", "Division", "Leak", "Preparation", "Sealed", "TestRows", "load"]


@dataclass(frozen=True, kw_only=True)
class Division:
    """One way to train and validate: the rows, the preparation that was fitted on its training rows
    and makes the features of the whole data's, and the places of its validation rows in the data's
    y.
    """

    split: Split
    preparation: Preparation
    validated: NDArray[np.int64]


@dataclass(frozen=True, kw_only=True)
class Dataset:
    """The training and validation rows as arrays. The test rows are counted, also those that stand
    in training, and left sealed.

    `divisions` has one division, or with folds one for each fold of each repeat. Their splits have
    x as C-contiguous arrays of the asked dtype, `(rows, features)`, and y as int64 class numbers;
    `y` and `groups` are the class number and the group's number of each row that a division
    validates on; `whole` is with folds a split that trains, and validates, on all rows outside the
    test set. `classes` are the labels by class number, `features` the names of the columns of x,
    `rows` counts "training" (with folds all rows outside the test set), "validation" and "test",
    `table_notes` has a sentence for each thing that was done to the table, `preparation` turns raw
    rows into x and was fitted on the training rows so counted, `target` is the column of labels,
    `label_type` their type in `labels.TYPES`, `example` a few of the training rows, raw, `search`
    finds the leaks.
    """

    divisions: tuple[Division, ...]
    whole: Split | None
    y: NDArray[np.int64]
    classes: tuple[str, ...]
    features: tuple[str, ...]
    rows: dict[str, int]
    table_notes: tuple[str, ...] = ()
    preparation: Preparation
    groups: NDArray[np.int64] | None = None
    target: str
    label_type: str
    example: Example
    search: Callable[[], tuple[tuple[Leak, ...], tuple[str, ...]]]

    @property
    def splits(self) -> Splits:
        """What networks are trained on."""
        return Splits(tuple(division.split for division in self.divisions), self.whole)

    @property
    def first_repeat(self) -> tuple[Division, ...]:
        """The first divisions, which together validate each row of `y` once."""
        repeats = sum(len(one.validated) for one in self.divisions) // len(self.y)
        return self.divisions[: len(self.divisions) // repeats]

    @property
    def split(self) -> Split:
        """The split of the first division."""
        return self.divisions[0].split

    @functools.cached_property
    def _found(self) -> tuple[tuple[Leak, ...], tuple[str, ...]]:
        return self.search()  # only where it is asked for: it takes as long as reading the rows

    @property
    def leaks(self) -> tuple[Leak, ...]:
        """What makes the test easier than new rows are."""
        return self._found[0]

    @property
    def notes(self) -> tuple[str, ...]:
        """What a person should know of the data, the most important first, in sentences."""
        found, small = self._found
        return (*(leak.sentence for leak in found), *self.table_notes, *small)


@dataclass(frozen=True, kw_only=True)
class TestRows:
    """The opened rows: x `(rows, features)`, class numbers, and groups where rows have them."""

    __test__ = False  # pytest would take the name for a test's

    x: NDArray[np.floating[Any]]
    y: NDArray[np.int64]
    groups: NDArray[np.int64] | None


def load(data: Data, dtype: str = "float32") -> Dataset:
    """Read the data and prepare it for training."""
    parts = divide(data)
    training, validated, table = parts.training, parts.validated, parts.training.table
    preparation, notes = fit(training.columns, parts.kinds, data.missing, table.where)
    divisions, whole = [], None
    for rows, others in parts.divisions:
        own = preparation.refit(rows.columns) if parts.folds else preparation
        divisions.append(
            Division(
                split=_split(own, rows, others, dtype),
                preparation=own,
                validated=np.searchsorted(validated.rows, others.rows),
            )
        )
    if parts.folds:
        x = preparation.transform(training.columns, dtype)
        whole = Split(x, training.y, x, training.y)
    return Dataset(
        divisions=tuple(divisions),
        whole=whole,
        y=validated.y,
        classes=parts.classes,
        features=preparation.features,
        rows={name: len(getattr(parts, name).rows) for name in PARTS},
        table_notes=(*table.notes, *parts.notes, *notes),
        search=functools.partial(leaks.find, parts, data),
        preparation=preparation,
        groups=validated.group_numbers(data),
        target=table.target,
        label_type=labels.type_of(
            table.frame[table.target],
            parts.classes,
            typed=data.suffix in (".parquet", ".npz"),
        ),
        example=preparation.example(training.frame),
    )


def _split(preparation: Preparation, training: Part, validation: Part, dtype: str) -> Split:
    return Split(
        preparation.transform(training.columns, dtype),
        training.y,
        preparation.transform(validation.columns, dtype),
        validation.y,
    )


class Sealed:
    """The sealed test rows: counted and recognised, but not looked at until `open` is called."""

    def __init__(self, data: Data) -> None:
        self._part, self._data = divide(data).test, data

    @property
    def digest(self) -> str:
        """SHA-256 of the rows as they stand in the source, all columns, whatever their order:
        experiments that treat them differently have the same test set.
        """
        import pandas as pd

        rows = self._part.frame
        hashes = pd.util.hash_pandas_object(rows[sorted(rows.columns)], index=False)
        return hashlib.sha256(np.sort(hashes.to_numpy(dtype="<u8")).tobytes()).hexdigest()

    def open(self, preparation: Preparation, dtype: str) -> TestRows:
        x = preparation.transform(self._part.columns, dtype)
        return TestRows(x=x, y=self._part.y, groups=self._part.group_numbers(self._data))
