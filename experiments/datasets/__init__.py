"""The data: a bundled name or a file as a Split, with what happened to its columns."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from experiments.datasets import labels
from experiments.datasets.bundled import BUNDLED
from experiments.datasets.parts import divide
from experiments.datasets.preparation import Example, Preparation
from experiments.datasets.sealed import Sealed, TestRows, group_numbers
from experiments.spec import Data
from nnreg import Split

__all__ = ["BUNDLED", "Dataset", "Preparation", "Sealed", "TestRows", "load"]


@dataclass(frozen=True, kw_only=True)
class Dataset:
    """The training and validation rows as arrays. The test rows are counted and left sealed.

    `split` has x as C-contiguous arrays of the asked dtype, `(rows, features)`, and y as int64
    class numbers; `classes` are the labels in the order of their class numbers, `features` the
    names of the columns of x, `rows` the number of rows of "training", "validation" and "test",
    `notes` one sentence for each thing that was done to a column and that a person should know,
    `preparation` what turns raw rows into x, `groups` the number of each validation row's group
    (None where rows have none), `target` the name of the column of labels, `label_type` their type
    (`labels.TYPES`), `example` a few of the training rows, raw.
    """

    split: Split
    classes: tuple[str, ...]
    features: tuple[str, ...]
    rows: dict[str, int]
    notes: tuple[str, ...] = ()
    preparation: Preparation
    groups: NDArray[np.int64] | None = None
    target: str
    label_type: str
    example: Example


def load(data: Data, dtype: str = "float32") -> Dataset:
    """Read the data and prepare it for training. Raises DataError with one sentence: file, column
    or key, value, rule, remedy.
    """
    from experiments.datasets.fitting import fit

    parts = divide(data)
    training, validation = parts.training, parts.validation
    target = training.table.target
    preparation, notes = fit(
        training.table.frame, training.rows, parts.verdicts, data.missing, training.table.where
    )
    return Dataset(
        split=Split(
            preparation.apply(
                training.table.frame, dtype, rows=training.rows, where=training.table.where
            ),
            training.y,
            preparation.apply(
                validation.table.frame, dtype, rows=validation.rows, where=validation.table.where
            ),
            validation.y,
        ),
        classes=parts.classes,
        features=preparation.features,
        rows={
            "training": len(training.rows),
            "validation": len(validation.rows),
            "test": len(parts.test.rows),
        },
        notes=(*parts.notes, *notes),
        preparation=preparation,
        groups=group_numbers(validation, data),
        target=target,
        label_type=labels.type_of(
            training.table.frame[target], parts.classes, typed=data.is_file and not data.is_csv
        ),
        example=preparation.example(training.table.frame, training.rows),
    )
