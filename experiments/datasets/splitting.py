"""The split: which rows train, which validate and which test, by labels, shares and seed.

It is our own arithmetic, because an experiment's fingerprint promises the same rows for ever.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from experiments.errors import DataError
from experiments.wording import row_number, short_repr

Rows = NDArray[np.int64]


def stratified(
    y: NDArray[np.int64], shares: Sequence[float], seed: int, classes: Sequence[str], where: str
) -> tuple[Rows, ...]:
    """Return the rows of each part, ascending: each class divided by `shares` (they add up to 1).

    A part with a share gets at least one row of each class, and in all as many as its share says.
    A class with fewer rows than parts stays in the first.
    """
    counts = np.bincount(y, minlength=len(classes))
    parts = sum(share > 0 for share in shares)
    common = counts >= parts
    if common.sum() < 2:
        few = int(counts.argmin())
        folds = "write data.split.folds in place of val, " if shares[1] > 0 else ""
        raise DataError(
            f"{where}: the class {short_repr(classes[few])} has {counts[few]} of the at least"
            f" {parts} rows that the parts of data.split need, one each, and fewer than two classes"
            f" have so many; add rows, {folds}or give the parts as files"
        )
    sizes = np.zeros((len(shares), len(counts)), dtype=np.int64)
    sizes[0] = counts
    sizes[:, common] = _sizes(counts[common], shares)
    order = np.random.default_rng(seed).permutation(len(y))
    order = order[np.argsort(y[order], kind="stable")]  # class by class, shuffled within each
    starts = np.cumsum(counts) - counts
    within = np.arange(len(y)) - np.repeat(starts, counts)  # the place of a row within its class
    bounds = np.cumsum(sizes, axis=0)  # (parts, classes)
    part = (within[:, None] >= np.repeat(bounds.T, counts, axis=0)).sum(axis=1)
    return tuple(np.sort(order[part == index]) for index in range(len(shares)))


def _sizes(counts: NDArray[np.int64], shares: Sequence[float]) -> NDArray[np.int64]:
    """Return the rows of each class for each part, `(parts, classes)`: largest remainders."""
    wanted = np.outer(shares[1:], counts)
    sizes = np.maximum(np.floor(wanted), (np.array(shares[1:]) > 0)[:, None]).astype(np.int64)
    for index, share in enumerate(shares[1:]):
        spare = counts - sizes.sum(axis=0) - 1  # what training, which keeps one, can give
        # A class of three rows gives one to each part, also where val = 0.9.
        sizes[index] -= np.minimum(np.maximum(-spare, 0), np.maximum(sizes[index] - 1, 0))
        spare = counts - sizes.sum(axis=0) - 1
        lacking = round(share * int(counts.sum())) - int(sizes[index].sum())
        remainder = np.where(spare > 0, wanted[index] - sizes[index], -1.0)
        for chosen in np.argsort(-remainder, kind="stable")[: max(lacking, 0)]:
            sizes[index, chosen] += remainder[chosen] > 0
    return np.vstack([counts - sizes.sum(axis=0), sizes])


def grouped(
    y: NDArray[np.int64],
    groups: NDArray[np.object_],
    shares: Sequence[float],
    seed: int,
    classes: Sequence[str],
    where: str,
) -> tuple[Rows, ...]:
    """Return the rows of each part, ascending: groups stay whole, and classes near `shares`. The
    first part has a group of each class.
    """
    codes, table = find_groups(y, groups, where)
    parts = sum(share > 0 for share in shares)
    if len(table) < parts:
        raise DataError(
            f"{where} has only {len(table)} of the at least {parts} groups that the parts need, one"
            " each; choose another column"
        )
    part = assign(table, np.array(shares), seed)
    for number, column in enumerate(table.T):
        holders = np.flatnonzero(column)
        if not (part[holders] == 0).any():
            smallest = holders[table[holders].sum(axis=1).argmin()]
            if (part == part[smallest]).sum() == 1:
                raise DataError(
                    f"{where} leaves no row of the class {short_repr(classes[number])} to train on:"
                    f" all are in {len(holders)} of the {len(table)} groups; use another"
                    " data.split.seed, smaller shares, or files"
                )
            part[smallest] = 0
    return tuple(np.flatnonzero(part[codes] == index) for index in range(len(shares)))


def find_groups(
    y: NDArray[np.int64], groups: NDArray[np.object_], where: str
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Return the number of each row's group, and the rows of each group, `(groups, classes)`."""
    import pandas as pd

    codes, names = pd.factorize(groups)
    if (codes < 0).any():
        empty = row_number(int((codes < 0).argmax()))
        raise DataError(f"{where} is missing in {empty}; every row needs a group: fill it in")
    table = np.zeros((len(names), int(y.max()) + 1))
    np.add.at(table, (codes, y), 1)
    return codes, table


def assign(
    table: NDArray[np.float64], shares: NDArray[np.float64], seed: int | Sequence[int]
) -> NDArray[np.int64]:
    """Return the part of each group, the largest first, by its rows `(groups, classes)`."""
    order = np.random.default_rng(seed).permutation(len(table))
    order = order[np.argsort(-table[order].sum(axis=1), kind="stable")]
    weight = table / np.maximum(table.sum(axis=0), 1)  # the share of each class that a group holds
    filled = np.zeros((len(shares), table.shape[1]))
    part = np.zeros(len(table), dtype=np.int64)
    empty = shares > 0
    for done, group in enumerate(order):
        # How much the group changes a part's squared distance from its share, as parts differ.
        cost = (filled - shares[:, None]) @ weight[group]
        allowed = empty if len(table) - done <= empty.sum() else shares > 0
        chosen = int(np.argmin(np.where(allowed, cost, np.inf)))
        part[group] = chosen
        filled[chosen] += weight[group]
        empty[chosen] = False
    return part
