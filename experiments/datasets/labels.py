"""The labels: the target column as classes, and every row as the number of its class."""

from collections.abc import Collection, Sequence

import numpy as np
from numpy.typing import NDArray

from experiments.datasets import values
from experiments.datasets.files import Table
from experiments.datasets.wording import listed, row, shown, toml_list
from experiments.errors import DataError

MOST_CLASSES = 1000
FEW_CLASSES = 20  # numbers with more values than these, and few rows for each, are measurements and no classes


def read_labels(table: Table, missing: Collection[str]) -> NDArray[np.object_]:
    """The label of each row as text. Raises DataError where one is missing."""
    column = table.frame[table.target]
    labels = values.labels(column, missing)
    without = np.array([label is None for label in labels], dtype=bool)
    if without.any():
        index = int(without.argmax())
        raise DataError(
            f"{table.where}: {int(without.sum())} of {len(labels)} rows have no label in column {shown(table.target)}, "
            f"the first is {row(index)}; delete these rows, or, if a label is among data.missing = {toml_list(list(missing))}, "
            "remove it there"
        )
    return labels


def find_classes(table: Table, labels: NDArray[np.object_]) -> tuple[str, ...]:
    """The classes, in the order of their numbers: by size where all are numbers, else by letters. Raises DataError."""
    names = set(labels.tolist())
    place = f"{table.where}: column {shown(table.target)} (data.target)"
    if len(names) == 1:
        raise DataError(f"{place} has one class, {shown(*names)}, in all {len(labels)} rows; there is nothing to tell apart")
    are_numbers = all(values.NUMBER.fullmatch(name) for name in names)
    if len(names) > MOST_CLASSES or (are_numbers and len(names) > max(FEW_CLASSES, len(labels) // 5)):
        what = "numbers" if are_numbers else "texts"
        raise DataError(
            f"{place} has {len(names)} different {what} in {len(labels)} rows, such as {shown(labels[0])}; classes are few: "
            "choose another target, or put these into classes first"
        )
    return tuple(sorted(names, key=lambda name: (float(name), name)) if are_numbers else sorted(names))


def number(labels: NDArray[np.object_], classes: Sequence[str], table: Table) -> NDArray[np.int64]:
    """The class number of each row. Raises DataError where a label is none of the classes."""
    import pandas as pd

    numbers = pd.Index(classes).get_indexer(pd.Index(labels)).astype(np.int64)
    if (numbers < 0).any():
        index = int((numbers < 0).argmax())
        raise DataError(
            f"{table.where}: the label {shown(labels[index])} in column {shown(table.target)}, {row(index)}, is not in the "
            f"training file, which has {listed(classes)}; correct it, or add rows of that class there"
        )
    return numbers
