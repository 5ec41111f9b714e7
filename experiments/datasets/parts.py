"""The parts: training, validation and test rows of the data, as raw values."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from itertools import combinations
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import NDArray

from experiments.data_section import Data
from experiments.datasets import bundled, columns, labels, splitting, values
from experiments.datasets.columns import ColumnKind
from experiments.datasets.files import RawTable, check_columns, read
from experiments.datasets.preparation import Columns
from experiments.errors import DataError
from experiments.wording import listed, short_repr

if TYPE_CHECKING:
    import pandas as pd

PARTS = ("training", "validation", "test")


@dataclass(frozen=True, kw_only=True)
class Part:
    """Some rows of a table, whose values are `inputs`: their indices, ascending, and their class
    numbers.
    """

    table: RawTable
    inputs: Columns
    rows: NDArray[np.int64]
    y: NDArray[np.int64]

    @property
    def frame(self) -> "pd.DataFrame":
        return self.table.frame.iloc[self.rows]

    @property
    def columns(self) -> Columns:
        """The values of the rows."""
        return {name: values[self.rows] for name, values in self.inputs.items()}

    def take(self, chosen: NDArray[Any]) -> Self:
        """Return some of these rows."""
        return replace(self, rows=self.rows[chosen], y=self.y[chosen])

    def groups(self, data: Data) -> NDArray[np.object_]:
        frame, group = self.table.frame, str(data.split.group)
        check_columns(frame.columns, [group], f"{self.table.where}: data.split.group")
        return values.texts(frame[group].iloc[self.rows], data.missing)

    def group_numbers(self, data: Data) -> NDArray[np.int64] | None:
        """The number of each row's group; None if rows have none."""
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
    inputs = {name: kind.values for name, kind in kinds.items()}
    parts = {"source": _whole(source, inputs, classes, data)}
    for key, path in data.files.items():
        if key != "source":
            table = labels.labelled(read(path, data), data)
            inputs = columns.read_like(table, data, kinds)
            parts[key] = _whole(table, inputs, classes, data)
    notes = _drop_copies(parts) if data.duplicates == "drop" else []
    parts = _divide(parts.pop("source"), classes, data) | parts
    if data.source == "digits_noisy":
        clean = parts["training"]
        rows, y = bundled.make_noisy(clean.rows, clean.y, classes, data.split.seed)
        parts["training"] = replace(clean, rows=rows, y=y)
    notes += _notes(parts, classes, data)
    return Parts(**parts, classes=classes, kinds=kinds, notes=tuple(notes))


def _whole(table: RawTable, inputs: Columns, classes: tuple[str, ...], data: Data) -> Part:
    y = labels.class_numbers(table, data.missing, classes)
    return Part(table=table, inputs=inputs, rows=np.arange(len(y)), y=y)


def codes(parts: Iterable[Part]) -> NDArray[np.int64]:
    """Return `(rows of all parts, inputs + 1)`: each value as its number among the different ones
    of its column, by size, -1 where it is missing; and the class numbers.
    """
    import pandas as pd

    tables = [(*part.columns.values(), part.y) for part in parts]
    columns = map(np.concatenate, zip(*tables, strict=True))
    return np.column_stack([pd.factorize(column, sort=True)[0] for column in columns])


def _drop_copies(parts: dict[str, Part]) -> list[str]:
    """Leave out the rows that have inputs and label of an earlier one."""
    import pandas as pd

    again, notes = pd.DataFrame(codes(parts.values())).duplicated().to_numpy(), []
    for key, part in parts.items():
        copies, again = np.split(again, [len(part.rows)])
        parts[key] = part.take(~copies)
        if copies.any():
            what = f"left out {copies.sum()} of {len(copies)} rows that are copies of earlier ones"
            notes.append(f'data.duplicates = "drop" {what}')
    return notes


def _divide(source: Part, classes: tuple[str, ...], data: Data) -> dict[str, Part]:
    """Return the rows of the source for each part; a part that has its own file gets none."""
    val = data.split.val if data.validation is None else 0.0
    test = data.split.test if data.test is None else 0.0
    shares, seed, where = (1 - (val + test), val, test), data.split.seed, source.table.where
    if not val and not test:
        rows: tuple[NDArray[np.int64], ...] = (np.arange(len(source.y)), *2 * (np.arange(0),))
    elif data.split.group is None:
        rows = splitting.stratified(source.y, shares, seed, classes, where)
    else:
        where += f": column {short_repr(data.split.group)}"
        rows = splitting.grouped(source.y, source.groups(data), shares, seed, classes, where)
    return {name: source.take(part) for name, part in zip(PARTS, rows, strict=True)}


def _notes(parts: Mapping[str, Part], classes: tuple[str, ...], data: Data) -> list[str]:
    """Return what a person should know of the division; no group may be in two files."""
    notes = []
    if data.split.group is not None:
        column = f"column {short_repr(data.split.group)}"
        notes.append(f"{column} divides the rows (data.split.group) and is not an input")
        for one, other in combinations(parts.values(), 2):
            if shared := set(one.groups(data)) & set(other.groups(data)):
                group = short_repr(shared.pop())
                raise DataError(
                    f"{one.table.where} and {other.table.where}: the group {group} of {column}"
                    " (data.split.group) stands in more than one file; move its rows to one of them"
                )
    for name in ("validation", "test"):
        absent = sorted(set(range(len(classes))) - set(parts[name].y.tolist()))
        if absent and len(parts[name].y):
            missing = listed([classes[index] for index in absent])
            why = "" if getattr(data, name) else ": too few rows to divide, all are for training"
            notes.append(f"no {name} row has the class {missing}{why}")
    return notes
