"""The parts: training, validation and test rows of the data, as raw values that nothing was fitted
on yet.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from experiments.datasets import bundled, columns, labels, splitting, values
from experiments.datasets.columns import Verdict
from experiments.datasets.files import Table, read
from experiments.datasets.wording import listed, shown
from experiments.errors import DataError
from experiments.spec import Data

PARTS = ("training", "validation", "test")


@dataclass(frozen=True, kw_only=True)
class Part:
    """Some rows of a table: their indices, ascending, and their class numbers. To open it,
    `preparation.apply` it.
    """

    table: Table
    rows: NDArray[np.int64]
    y: NDArray[np.int64]


@dataclass(frozen=True, kw_only=True)
class Parts:
    """The three parts, the classes in the order of their numbers, what each input column holds, and
    notes.
    """

    training: Part
    validation: Part
    test: Part
    classes: tuple[str, ...]
    verdicts: Mapping[str, Verdict]
    notes: tuple[str, ...]


def divide(data: Data) -> Parts:
    """Read the data and divide its rows; a pure function of the files and of `data`. Raises
    DataError.
    """
    is_bundled = data.source in bundled.BUNDLED
    source = (
        bundled.table(data.source, data.spiral) if is_bundled else read(Path(data.source), data)
    )
    verdicts = columns.judge_all(source, data)
    names = labels.read_labels(source, data.missing)
    classes = labels.find_classes(source, names)
    y = labels.number(names, classes, source)
    files = {
        key: Path(path)
        for key, path in (("validation", data.validation), ("test", data.test))
        if path is not None
    }
    rows = _divide_rows(source, y, classes, data, files)
    parts = {part: Part(table=source, rows=rows[part], y=y[rows[part]]) for part in PARTS}
    for key, path in files.items():
        table = read(path, data)
        columns.check_like(table, data, verdicts)
        numbers = labels.number(labels.read_labels(table, data.missing), classes, table)
        parts[key] = Part(table=table, rows=np.arange(len(numbers)), y=numbers)
    if data.source == "digits_noisy":
        noisy, wrong = bundled.make_noisy(
            parts["training"].rows, parts["training"].y, classes, data.split.seed
        )
        parts["training"] = Part(table=source, rows=noisy, y=wrong)
    return Parts(**parts, classes=classes, verdicts=verdicts, notes=_notes(parts, classes, data))


def _divide_rows(
    source: Table,
    y: NDArray[np.int64],
    classes: Sequence[str],
    data: Data,
    files: Mapping[str, Path],
) -> dict[str, NDArray[np.int64]]:
    """The rows of the source for each part; a part that has its own file gets none."""
    shares = {"validation": data.split.val, "test": data.split.test} | dict.fromkeys(files, 0.0)
    if not any(shares.values()):
        return {"training": np.arange(len(y)), "validation": np.arange(0), "test": np.arange(0)}
    divided = (1 - sum(shares.values()), shares["validation"], shares["test"])
    group = data.split.group
    if group is None:
        rows = splitting.stratified(y, divided, data.split.seed, classes, source.where)
    else:
        groups = values.texts(source.frame[group], data.missing)
        rows = splitting.grouped(
            y, groups, divided, data.split.seed, classes, f"{source.where}: column {shown(group)}"
        )
    return dict(zip(PARTS, rows, strict=True))


def _notes(parts: Mapping[str, Part], classes: Sequence[str], data: Data) -> tuple[str, ...]:
    """What a person should know of the division. Raises DataError where files share a group."""
    notes = []
    group = data.split.group
    if group is not None:
        notes.append(f"column {shown(group)} divides the rows (data.split.group) and is no input")
        for key in ("validation", "test"):
            if group not in parts[key].table.frame.columns:
                raise DataError(
                    f"{parts[key].table.where}: there is no column {shown(group)}, which"
                    " data.split.group names; add it"
                )
        groups = [
            set(values.texts(part.table.frame[group].iloc[part.rows], data.missing))
            for part in parts.values()
        ]
        splitting.check_apart(
            groups, group, " and ".join(dict.fromkeys(part.table.where for part in parts.values()))
        )
    absent = sorted(set(range(len(classes))) - set(parts["validation"].y.tolist()))
    if absent:
        notes.append(
            f"no validation row has the class {listed([classes[index] for index in absent])}"
        )
    return tuple(notes)
