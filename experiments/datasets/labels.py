"""The labels: the target column as classes, and every row as the number of its class; a quantity
is no label.
"""

import re
from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from experiments.data_section import Data
from experiments.datasets import numbers, values
from experiments.datasets.files import RawTable
from experiments.errors import DataError
from experiments.wording import listed, row_number, short_repr, suggestion, toml

if TYPE_CHECKING:
    import pandas as pd

MOST_CLASSES = 1000
FEW_ROWS = 10  # of a class: little can be said of one with fewer
UNEVEN = 0.7  # a class with this share of the rows makes accuracy a poor measure
WHOLE = re.compile(r"([+-]?[0-9]+)(?:\.0*)?")
# What is a quantity, which has no classes.
FEW_WHOLE, FEW_DECIMALS = 20, 10  # up to so many different numbers may be classes
ROWS_EACH = 50  # of more whole numbers with gaps; classes have so many rows
ROWS_EACH_COUNTED = 5  # of more that count from 0 or 1 without gaps, as numbers of classes do

TYPES: dict[str, type] = {"int": np.int64, "float": np.float64, "bool": np.bool_, "str": object}
"""What labels can be, and the NumPy type of an array of them."""
KINDS = {"i": "int", "u": "int", "f": "float", "b": "bool"}  # by the kind of a NumPy type


def labelled(table: RawTable, data: Data) -> RawTable:
    """Return the rows that have a label; others are an error or left out (data.unlabelled)."""
    labels = _texts(table, data.missing)
    without = np.array([label is None for label in labels])
    if not without.any():
        return table
    place = f"{without.sum()} of {len(labels)} rows have no label in {short_repr(table.target)}"
    if data.unlabelled == "error" or without.all():
        first = row_number(table.frame.index[without][0])
        raise DataError(
            f"{table.where}: {place}, the first is {first}; leave them out with unlabelled ="
            ' "drop" under [data], or remove what is a label from data.missing ='
            f" {toml(list(data.missing))}"
        )
    notes = (*table.notes, f'data.unlabelled = "drop", because {place}')
    return replace(table, frame=table.frame[~without], notes=notes)


def _texts(table: RawTable, missing: Collection[str]) -> NDArray[np.object_]:
    return values.texts(table.frame[table.target], missing, verbatim=True)


def find_classes(table: RawTable, missing: Collection[str]) -> tuple[str, ...]:
    """Return the classes in the order of their numbers: by size if all are numbers, or sorted."""
    labels = _texts(table, missing)
    names = set(labels.tolist())
    place = f"{table.where}: column {short_repr(table.target)} (data.target) has"
    if len(names) == 1:
        raise DataError(f"{place} one class, {short_repr(*names)}; at least two are needed")
    if line := _advice(table.target, labels):
        raise DataError(
            f"{place} {len(names)} different numbers in {len(labels)} rows, such as"
            f" {short_repr(labels[0])}: that is a quantity, and only classes can be predicted; make"
            f" classes of it, for example in pandas: {line}"
        )
    if len(names) > MOST_CLASSES:
        raise DataError(
            f"{place} {len(names)} different texts in {len(labels)} rows, such as"
            f" {short_repr(labels[0])}; classes are few: choose another target, or put these into"
            " classes first"
        )
    names = min(names, _whole(names), key=len)
    are_numbers = all(values.NUMBER.fullmatch(name) for name in names)
    return tuple(sorted(names, key=lambda name: (float(name) if are_numbers else 0, name)))


def _advice(target: str, labels: NDArray[np.object_]) -> str:
    """Return the line of pandas that makes classes of labels that are amounts, or else nothing."""
    import pandas as pd

    names = pd.Series(sorted(set(labels)), dtype="str")
    column, notation = f"table[{target!r}]", None
    if not all(map(values.NUMBER.fullmatch, names)):
        written = numbers.notations(names.tolist())
        if written is None or not written.fits:
            return ""
        notation = written.fits[0]
        digits = f'{column}.str.replace(r"[^0-9{notation.decimal}-]", "", regex=True)'
        column = f'pd.to_numeric({digits}.str.replace("{notation.decimal}", "."))'
    different, _ = values.parse_numbers(names, (), notation)
    if not _is_quantity(np.unique(different), len(labels)):
        return ""
    third = '[0, 1/3, 2/3, 1], labels=["low", "middle", "high"]'
    return f"table[{target!r}] = pd.cut({column}.rank(pct=True), {third})"


def _is_quantity(different: NDArray[np.float64], rows: int) -> bool:
    if (different != np.floor(different)).any():
        return len(different) > FEW_DECIMALS
    counted = different[0] in (0, 1) and different[-1] - different[0] == len(different) - 1
    each = ROWS_EACH_COUNTED if counted else ROWS_EACH
    return len(different) > FEW_WHOLE and rows < each * len(different)


def _whole(names: Collection[str]) -> set[str]:
    """Return the names without ".0" if all are whole numbers: pandas writes 1.0 for 1 where a value
    was missing.
    """
    found = [WHOLE.fullmatch(name) for name in names]
    return {match[1] for match in found if match} if all(found) else set(names)


def class_numbers(
    table: RawTable, missing: Collection[str], classes: Sequence[str]
) -> NDArray[np.int64]:
    """Return the class number of each row."""
    import pandas as pd

    labels = _texts(table, missing)
    known = list(classes)
    if not set(labels) <= set(known) and all(WHOLE.fullmatch(each) for each in {*labels, *known}):
        labels = np.array([_whole([label]).pop() for label in labels], dtype=object)
        known = [_whole([name]).pop() for name in known]
    found = pd.Index(known).get_indexer(pd.Index(labels)).astype(np.int64)
    if (found < 0).any():
        index = int((found < 0).argmax())
        alike = [name for name in classes if _spelling(name) == _spelling(labels[index])]
        near = f"did you mean {alike[0]!r}?" if alike else suggestion(labels[index], classes)
        raise DataError(
            f"{table.where}: column {short_repr(table.target)} has {short_repr(labels[index])} in"
            f" {row_number(table.frame.index[index])}, which is not a class of the training file;"
            f" {near}: correct it, or add rows of that class there"
        )
    return found


def _spelling(label: str) -> str:
    """Return what is left of a label without capitals, blanks, a full stop and ".0" at its end."""
    return re.sub(r"\s|\.0*$", "", label).casefold()


def notes(table: RawTable, classes: Sequence[str], missing: Collection[str]) -> Iterator[str]:
    """Yield what a person should know of the labels."""
    labels = Counter(_texts(table, missing).tolist())
    where, rows = f"column {short_repr(table.target)}", labels.total()
    alike = Counter(map(_spelling, classes))
    if twice := [name for name in classes if alike[_spelling(name)] > 1]:
        column = f"table[{table.target!r}]"
        yield (
            f"{where}: the classes {listed(twice)} differ only in capitals, blanks, a full stop or"
            f" .0; if they are one class, correct them, for example in pandas: {column} = {column}"
            r'.astype(str).str.strip().str.replace(r"\.0*$", "", regex=True).str.lower()'
        )
    if len(classes) < len(labels):
        yield f"{where}: all labels are whole numbers, so 1 and 1.0 are one class"
    name, most = labels.most_common(1)[0]
    if most >= UNEVEN * rows:
        yield (
            f"{where}: {most} of {rows} rows are {short_repr(name)}, so accuracy says little of the"
            ' others; write objective = "balanced_val_accuracy" under [sweep]'
        )
    if few := [name for name in classes if labels[name] < FEW_ROWS]:
        yield f"{where}: fewer than {FEW_ROWS} rows have the class {listed(few)}"


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
