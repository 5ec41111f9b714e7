"""The labels: the target column as classes, and every row as the number of its class."""

from collections.abc import Collection, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from experiments.datasets import values
from experiments.datasets.files import RawTable
from experiments.errors import DataError
from experiments.wording import listed, row_number, short_repr, toml

if TYPE_CHECKING:
    import pandas as pd

MOST_CLASSES = 1000
# numbers with more values than these, and few rows for each, are measurements and no classes
FEW_CLASSES = 20

TYPES: dict[str, type] = {"int": np.int64, "float": np.float64, "bool": np.bool_, "str": object}
"""What labels can be, and the NumPy type of an array of them."""
KINDS = {"i": "int", "u": "int", "f": "float", "b": "bool"}  # by the kind of a NumPy type


def _read(table: RawTable, missing: Collection[str]) -> NDArray[np.object_]:
    labels = values.texts(table.frame[table.target], missing, verbatim=True)
    without = np.array([label is None for label in labels])
    if without.any():
        raise DataError(
            f"{table.where}: {without.sum()} of {len(labels)} rows have no label in column"
            f" {short_repr(table.target)}, the first is {row_number(int(without.argmax()))}; delete"
            f" them, or remove what is a label from data.missing = {toml(list(missing))}"
        )
    return labels


def find_classes(table: RawTable, missing: Collection[str]) -> tuple[str, ...]:
    """Return the classes in the order of their numbers: by size if all are numbers, or sorted."""
    labels = _read(table, missing)
    names = set(labels.tolist())
    place = f"{table.where}: column {short_repr(table.target)} (data.target) has"
    if len(names) == 1:
        raise DataError(f"{place} one class, {short_repr(*names)}; at least two are needed")
    are_numbers = all(values.NUMBER.fullmatch(name) for name in names)
    most = max(FEW_CLASSES, len(labels) // 5) if are_numbers else MOST_CLASSES
    if len(names) > min(most, MOST_CLASSES):
        raise DataError(
            f"{place} {len(names)} different {'numbers' if are_numbers else 'texts'} in"
            f" {len(labels)} rows, such as {short_repr(labels[0])}; classes are few: choose another"
            " target, or put these into classes first"
        )
    return tuple(sorted(names, key=lambda name: (float(name) if are_numbers else 0, name)))


def class_numbers(
    table: RawTable, missing: Collection[str], classes: Sequence[str]
) -> NDArray[np.int64]:
    """Return the class number of each row."""
    import pandas as pd

    labels = _read(table, missing)
    numbers = pd.Index(classes).get_indexer(pd.Index(labels)).astype(np.int64)
    if (numbers < 0).any():
        index = int((numbers < 0).argmax())
        raise DataError(
            f"{table.where}: column {short_repr(table.target)} has {short_repr(labels[index])} in"
            f" {row_number(index)}, and the training file has only {listed(classes)}; correct it,"
            " or add rows of that class there"
        )
    return numbers


def type_of(column: "pd.Series[Any]", classes: Sequence[str], *, typed: bool) -> str:
    """Return the type of the labels: their column's, or the one that writes them as they are."""
    if typed:
        return KINDS.get(column.dtype.kind, "str")
    for label_type in TYPES:
        with suppress(ValueError, OverflowError):  # no number, or one beyond 64 bits
            if [str(label) for label in restore(classes, label_type).tolist()] == list(classes):
                return label_type
    return "str"


def restore(classes: Sequence[str], label_type: str) -> NDArray[Any]:
    """Return the labels as they were before they were text, in the order of their numbers."""
    labels = np.array(classes, dtype=object)
    return labels == "True" if label_type == "bool" else labels.astype(TYPES[label_type])
