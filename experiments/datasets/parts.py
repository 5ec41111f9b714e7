"""The parts: training, validation and test rows of the data, as raw values."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from itertools import combinations
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import NDArray

from experiments.data_section import Data
from experiments.datasets import bundled, columns, folds, labels, splitting, values
from experiments.datasets.columns import ColumnKind
from experiments.datasets.files import RawTable, check_columns, read
from experiments.datasets.preparation import Columns
from experiments.datasets.splitting import Rows
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

    def groups(self, data: Data) -> NDArray[np.object_] | None:
        """The group of each row as text; None if rows have none."""
        frame, group = self.table.frame, data.split.group
        if group is None:
            return None
        check_columns(frame.columns, [group], f"{self.table.where}: data.split.group")
        return values.texts(frame[group].iloc[self.rows], data.missing)

    def group_numbers(self, data: Data) -> NDArray[np.int64] | None:
        """The number of each row's group; None if rows have none."""
        import pandas as pd

        groups = self.groups(data)
        return None if groups is None else pd.factorize(groups)[0]


@dataclass(frozen=True, kw_only=True)
class Parts:
    """The three parts, the classes by number, what each input column holds, and notes.

    With folds, training is all rows outside the test set, validation is empty, and `folds` are the
    places in training that each fold trains and validates on; `clean` is training without noise.
    """

    training: Part
    validation: Part
    test: Part
    clean: Part
    folds: tuple[tuple[Rows, Rows], ...]
    classes: tuple[str, ...]
    kinds: Mapping[str, ColumnKind]
    notes: tuple[str, ...]

    @property
    def divisions(self) -> list[tuple[Part, Part]]:
        """The training and the validation rows of each fold, or the two parts."""
        if not self.folds:
            return [(self.training, self.validation)]
        return [(self.training.take(one), self.clean.take(other)) for one, other in self.folds]

    @property
    def validated(self) -> Part:
        """The rows that some division validates on, each once."""
        if not self.folds:
            return self.validation
        return self.clean.take(np.unique(np.concatenate([rows for _, rows in self.folds])))


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
    clean = parts["training"]
    if data.source == "digits_noisy":
        rows, y = bundled.make_noisy(clean.rows, clean.y, classes, data.split.seed)
        clean = clean.take(np.searchsorted(clean.rows, rows))
        parts["training"] = replace(clean, y=y)
    found = _find_folds(clean, classes, data)
    notes += _notes(parts, classes, data)
    if absent := {number for rows, _ in found for number in set(clean.y) - set(clean.y[rows])}:
        missing = listed([classes[number] for number in sorted(absent)])
        notes.append(f"some folds have no row of the class {missing} to train on")
    divided = Parts(
        **parts, clean=clean, folds=tuple(found), classes=classes, kinds=kinds, notes=tuple(notes)
    )
    if data.split.order == "time":
        _check_time(divided)
    return divided


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


def _place(part: Part, data: Data) -> str:
    """Return what is divided, for a sentence: the table, or its column of groups."""
    where, group = part.table.where, data.split.group
    return where if group is None else f"{where}: column {short_repr(group)} (data.split.group)"


def _divide(source: Part, classes: tuple[str, ...], data: Data) -> dict[str, Part]:
    """Return the rows of the source for each part; a part that has its own file gets none."""
    split, where, groups = data.split, _place(source, data), source.groups(data)
    none = sealed = np.arange(0)
    if split.outer:
        folds.check(source.y, groups, split.outer, "outer", classes, where)
    if split.outer and split.outer_fold:
        sealed = folds.outer(source.y, groups, split.outer, split.seed)[split.outer_fold - 1]
        if not len(sealed):
            raise DataError(
                f"{where}: outer fold {split.outer_fold} of {split.outer} has no rows, because the"
                " only group of a class is for training; write a smaller outer"
            )
    rest = source.take(np.setdiff1d(np.arange(len(source.y)), sealed))
    groups = rest.groups(data)
    val = split.val if data.validation is None else 0.0
    test = split.test if data.test is None else 0.0
    shares = (1 - (val + test), val, test)
    if not val and not test:
        rows: tuple[Rows, ...] = (np.arange(len(rest.y)), none, none)
    elif split.order == "time":
        rows = folds.in_time(len(rest.y), shares)
    elif groups is None:
        rows = splitting.stratified(rest.y, shares, split.seed, classes, where)
    else:
        rows = splitting.grouped(rest.y, groups, shares, split.seed, classes, where)
    parts = {name: rest.take(part) for name, part in zip(PARTS, rows, strict=True)}
    return parts | ({"test": source.take(sealed)} if split.outer_fold else {})


def _find_folds(training: Part, classes: tuple[str, ...], data: Data) -> list[tuple[Rows, Rows]]:
    """Return the places in training that each fold trains and validates on; none without folds."""
    split, groups, y = data.split, training.groups(data), training.y
    if not split.folds:
        return []
    folds.check(y, groups, split.folds, "folds", classes, _place(training, data))
    if split.order == "time":
        return folds.windows(len(y), split.folds)
    return folds.inner(y, groups, split.folds, split.repeats, split.seed)


def _check_time(parts: Parts) -> None:
    """Refuse an order of rows in which the earlier ones say nothing of the classes."""
    where, known = parts.training.table.where, {*parts.training.y, *parts.validation.y}
    remedy = 'if they are not in the order of time, sort them, or remove order = "time"'
    for training, _ in parts.divisions:
        if len(set(training.y)) < 2:
            has = f"the training rows, the first {len(training.y)}, have fewer than two classes"
            raise DataError(f"{where}: {has}; {remedy}")
    if lost := sorted(set(range(len(parts.classes))) - known):
        has = f"only the test rows, the last {len(parts.test.y)}, have the class"
        raise DataError(f"{where}: {has} {short_repr(parts.classes[lost[0]])}; {remedy}")


def _notes(parts: Mapping[str, Part], classes: tuple[str, ...], data: Data) -> list[str]:
    """Return what a person should know of the division; no group may be in two files."""
    notes = []
    if data.split.group is not None:
        column = f"column {short_repr(data.split.group)}"
        notes.append(f"{column} divides the rows (data.split.group) and is not an input")
        found = [(part.table.where, part.groups(data)) for part in parts.values()]
        named = [(where, set(groups)) for where, groups in found if groups is not None]
        for (one, here), (other, there) in combinations(named, 2):
            if shared := here & there:
                raise DataError(
                    f"{one} and {other}: the group {short_repr(shared.pop())} of {column}"
                    " (data.split.group) stands in more than one file; move its rows to one of them"
                )
    for name in ("validation", "test"):
        absent = sorted(set(range(len(classes))) - set(parts[name].y.tolist()))
        if absent and len(parts[name].y):
            missing = listed([classes[index] for index in absent])
            why = ": too few rows to divide, all are for training"
            if getattr(data, name) or data.split.order == "time":
                why = ""
            elif data.split.outer_fold and name == "test":
                why = ": too few rows for every outer fold"
            notes.append(f"no {name} row has the class {missing}{why}")
    return notes
