"""The leaks: what makes a test easier than new rows are, and the key that repairs it."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from experiments.data_section import Data
from experiments.datasets import values
from experiments.datasets.columns import ColumnKind
from experiments.datasets.files import RawTable
from experiments.datasets.preparation import FARTHEST, Missing, Number, Preparation
from experiments.wording import listed, short_repr, toml

COPIES = 0.05  # of a part's rows; fewer copies, such as the one in iris, are a note and no leak
BY_CHANCE = 0.1  # training rows like it: where so many are expected by chance, a row is no copy
FEWEST = 6  # rows outside the largest class: with fewer, some column determines them by chance
# How often rows that are neighbours by one column differ in their label, as a share of how often
# any two rows do: so seldom for a column that determines the label, or that nearly does and has no
# other column near it. In iris, two columns have 0.05 to 0.1.
DETERMINES, NEARLY, OTHERS = 0.03, 0.3, 0.6
FEW_GROUPS = 20  # from so many on, groups that have one label each are usual, such as patients


@dataclass(frozen=True, kw_only=True)
class Leak:
    """What leaks, in words; the key of the experiment file that repairs it, with its value, and
    `when` to write it. Without a key `when` is the whole remedy. `accuracy` is what a column alone
    has, where it is a leak only if the network has no more.
    """

    what: str
    when: str
    key: str = ""
    value: Any = None
    accuracy: float = 1.0

    @property
    def sentence(self) -> str:
        section, _, key = self.key.rpartition(".")
        write = f", write {key} = {toml(self.value)} under [{section}]" if key else ""
        return f"{self.what}; {self.when}{write}"


def first_of_equals(
    tables: Mapping[str, RawTable], kinds: Mapping[str, ColumnKind], data: Data
) -> dict[str, RawTable]:
    """Return the tables without the rows that have inputs and label of an earlier one."""
    import pandas as pd

    def read(table: RawTable, name: str) -> NDArray[Any]:
        column, kind = table.frame[name], kinds.get(name)
        if kind and kind.kind == "number":
            return values.numbers(column, data.missing, table.where, kind.notation)
        return values.texts(column, data.missing)

    frames = [
        pd.DataFrame({name: read(table, name) for name in (*kinds, table.target)})
        for table in tables.values()
    ]
    again, kept = pd.concat(frames).duplicated().to_numpy(), {}
    for key, table in tables.items():
        copies, again = np.split(again, [len(table.frame)])
        what = f"left out {copies.sum()} of {len(copies)} rows that are copies of earlier ones"
        notes = [f'data.duplicates = "drop" {what}'] if copies.any() else []
        kept[key] = replace(table, frame=table.frame[~copies], notes=(*table.notes, *notes))
    return kept


def find(
    inputs: Mapping[str, NDArray[Any]],
    y: Mapping[str, NDArray[np.int64]],
    preparation: Preparation,
    data: Data,
) -> tuple[tuple[Leak, ...], tuple[str, ...]]:
    """Return the leaks of inputs and class numbers by part, and notes on smaller things.

    Of the test rows it says only how many of them stand in training.
    """
    columns = {part: _columns(x, preparation) for part, x in inputs.items()}
    rows = {part: _digests(columns[part], y[part]) for part in columns}
    copies, notes = _copies(columns, rows, preparation)
    known, labels, each = (
        np.concatenate([of["training"], of["validation"]]) for of in (columns, y, rows)
    )
    if copies:  # what each of them has once would look as if it determined the label
        once = np.unique(each, return_index=True)[1]
        known, labels = known[once], labels[once]
    return (*copies, *_determining(known, labels, preparation, data)), tuple(notes)


def _columns(x: NDArray[Any], preparation: Preparation) -> NDArray[Any]:
    """Return one number for what a row has in each step, `(rows, steps)`; 0 is an unseen text."""
    parts = [x[:, block] for block in preparation.blocks]
    found = np.column_stack([part @ np.arange(1, 1 + part.shape[1]) for part in parts]) + 0.0
    for index, (step, following) in enumerate(pairwise(preparation.steps)):
        if step.column == following.column:  # the median stands where the number is missing
            found[found[:, index + 1] == 1, index] = -2 * FARTHEST
    return found


def _digests(columns: NDArray[Any], *labels: NDArray[Any]) -> NDArray[Any]:
    import pandas as pd

    frame = pd.DataFrame(np.column_stack([columns, *labels]))
    return pd.util.hash_pandas_object(frame, index=False).to_numpy()


def _copies(
    columns: Mapping[str, NDArray[Any]], rows: Mapping[str, NDArray[Any]], preparation: Preparation
) -> tuple[list[Leak], list[str]]:
    training, found, contrary, leaking = _digests(columns["training"]), [], 0, False
    for part in ("test", "validation"):
        equal = np.isin(rows[part], rows["training"])
        contrary += int((np.isin(_digests(columns[part]), training) & ~equal).sum())
        if equal.any():
            found.append(f"{equal.sum()} of {len(equal)} {part} rows")
            expected = _expected(columns["training"], columns[part][equal], preparation)
            leaking = leaking or (expected < BY_CHANCE).sum() >= COPIES * len(equal)
    notes = []
    if contrary > COPIES * (len(rows["test"]) + len(rows["validation"])):
        notes.append(
            f"{contrary} test and validation rows have the inputs of a training row and another"
            " label; if several rows belong to one thing, name its column in data.split.group"
        )
    if not found:
        return [], notes
    what = f"{' and '.join(found)} are copies of training rows, with inputs and label"
    if not leaking:
        return [], [what, *notes]
    when = "to keep only the first of equal rows"
    return [Leak(what=what, when=when, key="data.duplicates", value="drop")], notes


def _expected(
    training: NDArray[Any], rows: NDArray[Any], preparation: Preparation
) -> NDArray[np.float64]:
    """Return how many training rows would be like each of the rows (all of them copies) if its
    values came together by chance: in a table of few categories copies are no leak.
    """
    expected = np.full(len(rows), float(len(training)))
    for index, step in enumerate(preparation.steps):
        if not isinstance(step, Missing):  # which its numbers say already
            found, counts = np.unique(training[:, index], return_counts=True)
            expected *= counts[np.searchsorted(found, rows[:, index])] / len(training)
    return expected


def _determining(
    columns: NDArray[Any], y: NDArray[np.int64], preparation: Preparation, data: Data
) -> Iterator[Leak]:
    """Yield the columns each of which alone says the label, or the one that nearly does."""
    sizes = np.bincount(y)
    if len(y) - sizes.max(initial=0) < FEWEST:
        return
    # Rows with the same value stand in a random order: that of the file may be by label.
    shuffled = np.random.default_rng(0).permutation(len(y))
    columns, y = np.asfortranarray(columns[shuffled]), y[shuffled]
    wrong: dict[str, int] = {}
    for index, step in enumerate(preparation.steps):
        order = np.argsort(columns[:, index], kind="stable")
        differs, same = np.diff(y[order]) != 0, np.diff(columns[order, index]) == 0
        alone = ~(np.append(False, same) | np.append(same, False))
        found = int((differs & same).sum() + alone.sum())
        if isinstance(step, Number):  # or with thresholds between the classes
            found = min(found, int(differs.sum() + 1 - np.count_nonzero(sizes)))
        wrong[step.column] = min(found, wrong.get(step.column, found))
    by_chance = len(y) * (1 - ((sizes / len(y)) ** 2).sum())
    best, *others = sorted(wrong, key=lambda name: wrong[name])
    names = [name for name in wrong if wrong[name] <= DETERMINES * by_chance]
    when = "if known only together with the label"
    if names:
        what = f"the label is determined by {listed(names)}{' each' * (len(names) > 1)} alone"
        yield Leak(what=what, when=when, key="data.drop", value=[*data.drop, *names])
    elif wrong[best] <= NEARLY * by_chance and (
        not others or wrong[others[0]] >= OTHERS * by_chance
    ):
        accuracy = 1 - wrong[best] / len(y) / 2  # of the more common label: one of two neighbours
        what = f"column {short_repr(best)} alone says about {accuracy:.0%} of the labels"
        value = [*data.drop, best]
        yield Leak(what=what, when=when, key="data.drop", value=value, accuracy=accuracy)


def of_groups(groups: NDArray[Any], y: NDArray[np.int64], column: str) -> tuple[Leak, ...]:
    """Return whether each of few groups has one label, which then is that of the group."""
    import pandas as pd

    labels = pd.Series(y).groupby(groups).nunique()
    if labels.max() > 1 or len(labels) >= FEW_GROUPS or len(labels) == len(y):
        return ()
    what = f"each of the {len(labels)} groups of {short_repr(column)} has one label"
    when = f"what was found holds for {len(labels)} groups, not for {len(y)} rows: add groups"
    return (Leak(what=what, when=when),)
