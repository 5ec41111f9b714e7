"""Outer folds: the mean of scores of every row, where the networks that a fold's rows judge were
trained on the rows of the other folds, and its standard error.

What varies are seeds, test rows and training sets. A fold has one training set, which all of its
rows and seeds share. So the rows tell their own variance precisely, and nothing about training
sets; the folds tell the whole variance, from few numbers. Here the folds' is averaged with a guess
that is made from the rows'. docs/statistics.md has the reasoning, and how well it holds.
"""

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from sweeps.confirmation.crossed import Estimate, Rows, Scores, Weighting, estimate


def pooled(
    scores: Sequence[Scores],
    y: Sequence[Rows] | None,
    groups: Sequence[Rows] | None,
    *,
    counted: bool,
) -> Estimate:
    """Return the mean of scores[k] (seeds, rows of fold k) over the rows of all folds, for training
    sets as large as a fold's.

    y[k] are the classes of the fold's rows, where every class counts the same, and groups[k] the
    numbers of their groups, of which none is in two folds; `counted` as in `estimate`.

    The guess is Nadeau and Bengio's corrected variance (Machine Learning 52, 2003), with the rows'
    variance in place of the folds'. It counts as much as the folds (a moderated variance: Smyth,
    Statistical Applications in Genetics and Molecular Biology 3, 2004), and less where these vary
    more than it says. A single fold has no variance of its own: then it is `estimate`.

    Raises ValueError if there is no fold, or if folds have different numbers of seeds.
    """
    every, folds = np.concatenate(scores, axis=1), len(scores)
    classes = None if y is None else np.concatenate(y)
    by_rows = estimate(every, Weighting(classes, _numbered(groups)), counted=counted)
    if folds < 2 or by_rows.error == 0:
        return by_rows
    guess = (1 + folds / (folds - 1)) * by_rows.error**2
    of_folds = between(scores, y)
    variance = max((guess + of_folds) / 2, of_folds)
    trust = guess / max(guess, of_folds)
    return replace(
        by_rows,
        error=math.sqrt(variance),
        freedom=folds - 1 + trust * min(folds - 1, by_rows.freedom),
        skewness=by_rows.skewness * (by_rows.error**2 / variance) ** 1.5,  # the same third moment
    )


def between(scores: Sequence[Scores], y: Sequence[Rows] | None) -> float:
    """Return the variance of the mean of these scores, told from the folds alone.

    With folds of one size and rows that weigh the same it is the variance of the folds' means over
    the number of folds. Otherwise a fold counts what its rows move the mean by.
    """
    every = np.concatenate(scores, axis=1)
    cells, _ = Weighting(None if y is None else np.concatenate(y)).units(every)
    moved = (cells.mean(axis=0) - cells.mean()) / every.shape[1]
    starts = np.cumsum([0, *(each.shape[1] for each in scores[:-1])])
    return float(len(scores) * np.add.reduceat(moved, starts).var(ddof=1))


def _numbered(groups: Sequence[Rows] | None) -> Rows | None:
    """Return the groups of all folds with numbers of their own: each fold has a group 0."""
    if groups is None:
        return None
    firsts = np.cumsum([0, *(each.max() + 1 for each in groups[:-1])])
    return np.concatenate([each + first for each, first in zip(groups, firsts, strict=True)])
