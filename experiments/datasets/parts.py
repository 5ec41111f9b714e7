"""The parts: training, validation and test rows of the data, as raw values."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from experiments.data_section import Data
from experiments.datasets import bundled, columns, labels, leaks, splitting, values
from experiments.datasets.columns import ColumnKind
from experiments.datasets.files import RawTable, check_columns, read
from experiments.datasets.preparation import Preparation
from experiments.errors import DataError
from experiments.wording import listed, short_repr

if TYPE_CHECKING:
    import pandas as pd

PARTS = ("training", "validation", "test")


@dataclass(frozen=True, kw_only=True)
class Part:
    """Some rows of a table: their indices, ascending, and their class numbers."""

    table: RawTable
    rows: NDArray[np.int64]
    y: NDArray[np.int64]

    @property
    def frame(self) -> "pd.DataFrame":
        return self.table.frame.iloc[self.rows]

    def inputs(self, preparation: Preparation, dtype: str) -> NDArray[np.floating[Any]]:
        """The rows as a network reads them, `(rows, features)`."""
        return preparation.apply(self.frame, dtype, where=self.table.where)

    def groups(self, data: Data) -> NDArray[np.object_]:
        frame, group = self.table.frame, str(data.split.group)
        check_columns(frame.columns, [group], f"{self.table.where}: data.split.group")
        return values.texts(frame[group].iloc[self.rows], data.missing)

    def group_numbers(self, data: Data) -> NDArray[np.int64] | None:
        """The number of each row's group; None where rows have none."""
        import pandas as pd

        return None if data.split.group is None else pd.factorize(self.groups(data))[0]


@dataclass(frozen=True, kw_only=True)
class Parts:
    """The three parts, the classes by number, what each input column holds, and notes."""

    training: Part
    validation: Part
    test: Part
    classes: tuple[str, ...]
    kinds: Mapping[str, ColumnKind]
    notes: tuple[str, ...]


def divide(data: Data) -> Parts:
    """Read the data and divide its rows; a pure function of the files and of `data`."""
    if data.source in bundled.BUNDLED:
        source = bundled.table(data.source, data.spiral)
    else:
        source = labels.labelled(read(Path(data.source), data), data)
    kinds = columns.judge_all(source, data)
    classes = labels.find_classes(source, data.missing)
    tables = {"source": source}
    for key, path in data.files.items():
        if key != "source":
            tables[key] = labels.labelled(read(path, data), data)
            columns.check_like(tables[key], data, kinds)
    if data.duplicates == "drop":
        tables = leaks.first_of_equals(tables, kinds, data)
    source = tables.pop("source")
    parts = _divide(_whole(source, classes, data), classes, data)
    parts |= {key: _whole(table, classes, data) for key, table in tables.items()}
    if data.source == "digits_noisy":
        clean = parts["training"]
        rows, y = bundled.make_noisy(clean.rows, clean.y, classes, data.split.seed)
        parts["training"] = Part(table=source, rows=rows, y=y)
    return Parts(**parts, classes=classes, kinds=kinds, notes=_notes(parts, classes, data))


def _whole(table: RawTable, classes: tuple[str, ...], data: Data) -> Part:
    y = labels.class_numbers(table, data.missing, classes)
    return Part(table=table, rows=np.arange(len(y)), y=y)


def _divide(source: Part, classes: tuple[str, ...], data: Data) -> dict[str, Part]:
    """Return the rows of the source for each part; a part that has its own file gets none."""
    val = data.split.val if data.validation is None else 0.0
    test = data.split.test if data.test is None else 0.0
    shares, seed, where = (1 - (val + test), val, test), data.split.seed, source.table.where
    if not val and not test:
        rows: tuple[NDArray[np.int64], ...] = (source.rows, np.arange(0), np.arange(0))
    elif data.split.group is None:
        rows = splitting.stratified(source.y, shares, seed, classes, where)
    else:
        where += f": column {short_repr(data.split.group)}"
        rows = splitting.grouped(source.y, source.groups(data), shares, seed, classes, where)
    return {
        name: Part(table=source.table, rows=part, y=source.y[part])
        for name, part in zip(PARTS, rows, strict=True)
    }


def _notes(parts: Mapping[str, Part], classes: tuple[str, ...], data: Data) -> tuple[str, ...]:
    """Return what a person should know of the division; no group may be in two files."""
    notes = []
    if data.split.group is not None:
        column = f"column {short_repr(data.split.group)}"
        notes.append(f"{column} divides the rows (data.split.group) and is no input")
        places: dict[str, str] = {}
        for part in parts.values():
            for name in set(part.groups(data)):
                if name in places:
                    raise DataError(
                        f"{places[name]} and {part.table.where}: the group {short_repr(name)} of"
                        f" {column} (data.split.group) stands in more than one file; move its rows"
                        " to one of them"
                    )
                places[name] = part.table.where
    for name in ("validation", "test"):
        absent = sorted(set(range(len(classes))) - set(parts[name].y.tolist()))
        if absent and len(parts[name].y):
            missing = listed([classes[index] for index in absent])
            why = "" if getattr(data, name) else ": too few rows to divide, so all are to train on"
            notes.append(f"no {name} row has the class {missing}{why}")
    return tuple(notes)
