"""The leaks: what makes a test easier than new rows are, and the key that repairs it."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from experiments.data_section import Data
from experiments.datasets.columns import ColumnKind, is_id
from experiments.datasets.parts import PARTS, Parts, codes
from experiments.datasets.splitting import Rows
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


def find(parts: Parts, data: Data) -> tuple[tuple[Leak, ...], tuple[str, ...]]:
    """Return what leaks, and notes on smaller things.

    Of the test rows it says only how many of them stand in training.
    """
    each = [getattr(parts, name) for name in PARTS]
    rows, ends = codes(each), np.cumsum([len(part.rows) for part in each])
    folds = parts.folds[: data.split.folds]  # of one repeat
    copies, notes = _copies(_compared(rows, ends, folds))
    content = rows
    numbers = {name: each.values for name, each in parts.kinds.items() if each.kind == "number"}
    if ids := [name for name, values in numbers.items() if is_id(values)]:  # they tell copies apart
        content = rows[:, [name not in ids for name in parts.kinds] + [True]]
        for leak in _copies(_compared(content, ends, folds))[0]:
            what, value = f"but for {listed(ids)}, {leak.what}", [*data.drop, *ids]
            copies = [Leak(what=what, when="if that is an id", key="data.drop", value=value)]
    known = rows[: ends[1]]
    if copies:  # what each of them has once would look as if it determined the label
        known = known[np.unique(_digests(content[: ends[1]]), return_index=True)[1]]
    found = [*copies, *_determining(known, parts.kinds, data)]
    groups = [names for part in each if (names := part.groups(data)) is not None]
    if groups:
        y = np.concatenate([part.y for part in each])
        found += _of_groups(np.concatenate(groups), y, str(data.split.group))
    return tuple(found), tuple(notes)


def _digests(rows: NDArray[np.int64]) -> NDArray[Any]:
    """Return a value for each row, the same for equal rows."""
    import pandas as pd

    return pd.util.hash_pandas_object(pd.DataFrame(rows), index=False).to_numpy()


Compared = list[tuple[str, NDArray[np.int64], NDArray[np.int64]]]


def _compared(
    rows: NDArray[np.int64], ends: NDArray[np.int64], folds: Sequence[tuple[Rows, Rows]]
) -> Compared:
    """Return which rows must not be copies of which: the name of a part, the rows that train for
    it, and its rows.
    """
    training, validation, test = np.split(rows, ends[:-1])
    held_out = [("validation", training[one], training[other]) for one, other in folds]
    return [("test", training, test), *(held_out or [("validation", training, validation)])]


def _copies(compared: Compared) -> tuple[list[Leak], list[str]]:
    copies: Counter[str] = Counter()
    sizes: Counter[str] = Counter()
    strange: Counter[str] = Counter()  # copies that are no chance
    contrary = 0
    for part, training, rows in compared:
        equal = np.isin(_digests(rows), _digests(training))
        contrary += int(np.isin(_digests(rows[~equal, :-1]), _digests(training[:, :-1])).sum())
        expected = _expected(training[:, :-1], rows[equal, :-1])
        sizes[part] += len(equal)
        copies[part] += int(equal.sum())
        strange[part] += int((expected < BY_CHANCE).sum())
    leaking = any(strange[part] >= COPIES * sizes[part] for part in +copies)
    found = [f"{copies[part]} of {sizes[part]} {part} rows" for part in +copies]
    notes = []
    if contrary > COPIES * sizes.total():
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


def _expected(training: NDArray[np.int64], rows: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return how many training rows would be like each of the rows (all of them copies) if its
    values came together by chance: in a table of few categories copies are no leak.
    """
    expected = np.full(len(rows), float(len(training)))
    for known, found in zip(training.T + 1, rows.T + 1, strict=True):
        expected *= np.bincount(known)[found] / len(training)
    return expected


def _determining(
    rows: NDArray[np.int64], kinds: Mapping[str, ColumnKind], data: Data
) -> Iterator[Leak]:
    """Yield the columns each of which alone says the label, or the one that nearly does."""
    sizes = np.bincount(rows[:, -1])
    if len(rows) - sizes.max(initial=0) < FEWEST:
        return
    # Rows with the same value stand in a random order: that of the file may be by label.
    *columns, y = np.random.default_rng(0).permutation(rows).T
    wrong: dict[str, int] = {}
    for (name, kind), column in zip(kinds.items(), columns, strict=True):
        if column.min() == column.max():
            continue
        order = np.argsort(column, kind="stable")
        differs, same = np.diff(y[order]) != 0, np.diff(column[order]) == 0
        alone = ~(np.append(False, same) | np.append(same, False))
        wrong[name] = int((differs & same).sum() + alone.sum())
        if kind.kind == "number":  # or with thresholds between the classes
            wrong[name] = min(wrong[name], int(differs.sum() + 1 - np.count_nonzero(sizes)))
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
        what = f"column {short_repr(best)} alone predicts about {accuracy:.0%} of the labels"
        value = [*data.drop, best]
        yield Leak(what=what, when=when, key="data.drop", value=value, accuracy=accuracy)


def _of_groups(groups: NDArray[Any], y: NDArray[np.int64], column: str) -> list[Leak]:
    """Return whether each of few groups has one label, which then is that of the group."""
    import pandas as pd

    labels = pd.Series(y).groupby(groups).nunique()
    if labels.max() > 1 or len(labels) >= FEW_GROUPS or len(labels) == len(y):
        return []
    what = f"each of the {len(labels)} groups of {short_repr(column)} has one label"
    when = f"what was found holds for {len(labels)} groups, not for {len(y)} rows: add groups"
    return [Leak(what=what, when=when)]
