"""The folds: which rows validate, or test, in which part of a cross-validation.

It is our own arithmetic for the same reason as the split's. Rows are places among those to divide.
"""

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from experiments.datasets.splitting import Rows, assign, find_groups
from experiments.errors import DataError
from experiments.wording import short_repr

# Streams of a seed: folds, outer folds and shares do not depend on each other. None of them is 0,
# because NumPy seeds [5, 0] like 5.
INNER, OUTER = 1, 2

Groups = NDArray[np.object_] | None


def divide(y: NDArray[np.int64], groups: Groups, folds: int, seed: Sequence[int]) -> list[Rows]:
    """Return the rows of each fold, ascending: every row is in one.

    Without groups, folds differ by at most one row, and so do their rows of each class. With
    groups, these stay whole and the classes are near even.
    """
    if groups is not None:
        codes, table = find_groups(y, groups, "the group")
        fold = assign(table, np.full(folds, 1 / folds), seed)[codes]
    else:
        order = np.random.default_rng(seed).permutation(len(y))
        order = order[np.argsort(y[order], kind="stable")]  # class by class, shuffled within each
        fold = np.empty(len(y), dtype=np.int64)
        fold[order] = np.arange(len(y)) % folds  # dealt out like cards
    return [np.flatnonzero(fold == index) for index in range(folds)]


def inner(
    y: NDArray[np.int64], groups: Groups, folds: int, repeats: int, seed: int
) -> list[tuple[Rows, Rows]]:
    """Return the training and the validation rows of each fold, repeat by repeat."""
    found = [divide(y, groups, folds, (seed, INNER, repeat)) for repeat in range(repeats)]
    every = np.arange(len(y))
    return [(np.setdiff1d(every, fold), fold) for repeat in found for fold in repeat]


def outer(y: NDArray[np.int64], groups: Groups, folds: int, seed: int) -> list[Rows]:
    """Return the rows of each outer fold. The only row of a class, or its only group, is in none,
    because nothing could be learned of that class without it.
    """
    if groups is None:
        alone = np.bincount(y)[y] == 1
    else:
        codes, table = find_groups(y, groups, "the group")
        holders = np.count_nonzero(table, axis=0)  # of each class
        alone = np.count_nonzero(table[:, holders == 1], axis=1)[codes] > 0
    return [fold[~alone[fold]] for fold in divide(y, groups, folds, (seed, OUTER))]


def windows(rows: int, folds: int) -> list[tuple[Rows, Rows]]:
    """Return the training and the validation rows of expanding windows over rows in the order of
    time: of `folds + 1` equal blocks, each but the first validates once, and all before it train.
    """
    places, ends = np.arange(rows), np.arange(1, folds + 2) * rows // (folds + 1)
    return [(places[:start], places[start:end]) for start, end in pairwise(ends)]


def in_time(rows: int, shares: Sequence[float]) -> tuple[Rows, ...]:
    """Return the rows of each part, one part after the other; a part with a share has a row."""
    sizes = [max(round(share * rows), 1) if share > 0 else 0 for share in shares[1:]]
    starts = rows - np.cumsum(sizes[::-1])[::-1]
    return tuple(np.split(np.arange(rows), np.maximum(starts, 0)))


def check(
    y: NDArray[np.int64], groups: Groups, folds: int, key: str, classes: Sequence[str], where: str
) -> None:
    """Raise DataError if there are too few rows or groups for so many folds, with their key."""
    written, remedy = f"data.split.{key} = {folds}", f"write a smaller {key}"
    if len(y) < folds:
        raise DataError(f"{where}: {written} needs {folds} rows, and there are {len(y)}; {remedy}")
    if groups is not None:
        _, table = find_groups(y, groups, where)
        if len(table) < folds:
            raise DataError(
                f"{where} has {len(table)} groups to divide, fewer than {written}; {remedy}, or"
                " choose another column"
            )
        return
    counts = np.bincount(y)
    if counts.max() < folds:
        largest = short_repr(classes[int(counts.argmax())])
        raise DataError(
            f"{where}: {written} is more than the {counts.max()} rows of the largest class,"
            f" {largest}; {remedy}"
        )
