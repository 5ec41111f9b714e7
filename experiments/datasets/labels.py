"""The labels: the target column as classes, and every row as the number of its class."""

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from experiments.datasets import values
from experiments.datasets.files import Table
from experiments.datasets.wording import listed, row, shown, toml_list
from experiments.errors import DataError

if TYPE_CHECKING:
    import pandas as pd

MOST_CLASSES = 1000
# numbers with more values than these, and few rows for each, are measurements and no classes
FEW_CLASSES = 20

TYPES: Mapping[str, type] = {"int": np.int64, "float": np.float64, "bool": np.bool_, "str": object}
"""What labels can be, and the NumPy type of an array of them."""
READ: Mapping[str, Callable[[str], Any]] = {
    "int": int,
    "float": float,
    "bool": "True".__eq__,
    "str": str,
}
KINDS = {"i": "int", "u": "int", "f": "float", "b": "bool"}  # by the kind of a NumPy type


def read_labels(table: Table, missing: Collection[str]) -> NDArray[np.object_]:
    """The label of each row as text. Raises DataError where one is missing."""
    column = table.frame[table.target]
    labels = values.labels(column, missing)
    without = np.array([label is None for label in labels], dtype=bool)
    if without.any():
        index = int(without.argmax())
        raise DataError(
            f"{table.where}: {int(without.sum())} of {len(labels)} rows have no label in column"
            f" {shown(table.target)}, the first is {row(index)}; delete these rows, or, if a label"
            f" is among data.missing = {toml_list(list(missing))}, remove it there"
        )
    return labels


def find_classes(table: Table, labels: NDArray[np.object_]) -> tuple[str, ...]:
    """The classes, in the order of their numbers: by size where all are numbers, else by letters.
    Raises DataError.
    """
    names = set(labels.tolist())
    place = f"{table.where}: column {shown(table.target)} (data.target)"
    if len(names) == 1:
        raise DataError(
            f"{place} has one class, {shown(*names)}, in all {len(labels)} rows; there is nothing"
            " to tell apart"
        )
    are_numbers = all(values.NUMBER.fullmatch(name) for name in names)
    if len(names) > MOST_CLASSES or (
        are_numbers and len(names) > max(FEW_CLASSES, len(labels) // 5)
    ):
        what = "numbers" if are_numbers else "texts"
        raise DataError(
            f"{place} has {len(names)} different {what} in {len(labels)} rows, such as"
            f" {shown(labels[0])}; classes are few: choose another target, or put these into"
            " classes first"
        )
    return tuple(
        sorted(names, key=lambda name: (float(name), name)) if are_numbers else sorted(names)
    )


def number(labels: NDArray[np.object_], classes: Sequence[str], table: Table) -> NDArray[np.int64]:
    """The class number of each row. Raises DataError where a label is none of the classes."""
    import pandas as pd

    numbers = pd.Index(classes).get_indexer(pd.Index(labels)).astype(np.int64)
    if (numbers < 0).any():
        index = int((numbers < 0).argmax())
        raise DataError(
            f"{table.where}: the label {shown(labels[index])} in column {shown(table.target)},"
            f" {row(index)}, is not in the training file, which has {listed(classes)}; correct it,"
            " or add rows of that class there"
        )
    return numbers


def type_of(column: "pd.Series[Any]", classes: Sequence[str], *, typed: bool) -> str:
    """The type of the labels, one of TYPES: that of their column, or where columns have none
    (`typed` is false) the one that is written exactly as the labels are.
    """
    wanted = [KINDS.get(column.dtype.kind, "str"), "str"] if typed else list(TYPES)
    return next(name for name in wanted if _can_be(name, classes, as_written=not typed))


def _can_be(label_type: str, classes: Sequence[str], *, as_written: bool) -> bool:
    try:
        restored = restore(classes, label_type)
    except (ValueError, OverflowError):  # no number, or one beyond 64 bits
        return False
    return not as_written or [str(label) for label in restored.tolist()] == list(classes)


def restore(classes: Sequence[str], label_type: str) -> NDArray[Any]:
    """The labels as they were before they were text, (classes,), in the order of their numbers."""
    return np.array([READ[label_type](label) for label in classes], dtype=TYPES[label_type])
