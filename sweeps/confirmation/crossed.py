"""Crossed random effects: the mean of scores that vary with the seed and with the row, and how sure it is.

A score d[s, r] is seen for every seed s and every row r: d = mean + seed + row + rest, all random. The variance of the mean then
has three parts, each estimated from its mean square (Searle, Casella and McCulloch, Variance Components, 1992, chapter 4), and
Satterthwaite's degrees of freedom (Biometrics Bulletin 2, 1946). docs/statistics.md has the reasoning.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from experiments.verdict import Interval
from nnreg.losses import WORST_LOSS

Scores = NDArray[np.float64]
Rows = NDArray[np.int64]

UNKNOWN = WORST_LOSS  # the standard error of one row or one seed, which nobody can tell: the largest score that there is
POWER = 0.8  # "that this many rows could show": four times in five


@dataclass(frozen=True)
class Weighting:
    """What each row counts. `y` (rows,) are classes where every class counts the same, None where every row does; `groups`
    (rows,) are the rows that belong together, None where each stands alone.
    """

    y: Rows | None = None
    groups: Rows | None = None

    def weights(self, rows: int) -> Scores:
        """(rows,), adding up to 1."""
        if self.y is None:
            return np.full(rows, 1 / rows)
        classes, inverse, counts = np.unique(self.y, return_inverse=True, return_counts=True)
        return 1 / (len(classes) * counts[inverse])

    def means(self, scores: Scores) -> Scores:
        """The mean of each seed, (seeds,), of scores (seeds, rows)."""
        return scores @ self.weights(scores.shape[1])

    def units(self, scores: Scores) -> tuple[Scores, float]:
        """What each independent unit (a row, or a group of rows) contributes, (seeds, units): their plain mean over the units is
        the seed's mean. With it the largest weight of a unit.

        A class's mean is a ratio of two sums over rows: a unit contributes what it moves that ratio by (its influence function),
        so differences between classes are no part of the variance.
        """
        weights = self.weights(scores.shape[1])
        mean = float((scores @ weights).mean())
        if self.y is None:
            centre = np.full(scores.shape[1], mean)
        else:
            overall = scores.mean(axis=0)
            centre = np.empty(scores.shape[1])
            for one in np.unique(self.y):
                centre[self.y == one] = overall[self.y == one].mean()
        influence = (scores - centre) * weights
        if self.groups is not None:
            _, inverse = np.unique(self.groups, return_inverse=True)
            together: Scores = np.zeros((inverse.max() + 1, len(scores)))
            np.add.at(together, inverse, influence.T)
            influence, weights = together.T, np.bincount(inverse, weights).astype(np.float64)
        return influence * influence.shape[1] + mean, float(weights.max())


@dataclass(frozen=True)
class Estimate:
    """A mean, its standard error, and the degrees of freedom of that."""

    mean: float
    error: float
    freedom: float

    def interval(self, level: float) -> Interval:
        """The two-sided confidence interval, by Student's t."""
        reach = self._quantile((1 + level) / 2) * self.error
        return Interval(mean=self.mean, low=self.mean - reach, high=self.mean + reach, level=level)

    @property
    def p(self) -> float:
        """The two-sided p-value of "the mean is 0"."""
        if self.error == 0:
            return 1.0 if self.mean == 0 else 0.0
        return float(2 * stats.t.sf(abs(self.mean) / self.error, self.freedom))

    def detectable(self, alpha: float) -> float:
        """The smallest true mean that a two-sided test at `alpha` would show with the probability POWER."""
        return (self._quantile(1 - alpha / 2) + self._quantile(POWER)) * self.error

    def _quantile(self, probability: float) -> float:
        return float(stats.t.ppf(probability, self.freedom)) if self.error > 0 else 0.0


def estimate(scores: Scores, weighting: Weighting, *, counted: bool) -> Estimate:
    """The mean of scores (seeds, rows), at least 2 of each.

    `counted` is whether the scores are differences of hits, -1, 0 or 1. Then two imagined rows are added to the variance, of the
    largest weight that a row has: one that each side wins (Bonett and Price, J. Educational and Behavioral Statistics 37, 2012).
    Without them, two networks that agree on all of 30 rows would be said to agree on every row there is.
    """
    cells, largest = weighting.units(scores)
    seeds, units = cells.shape
    if units < 2 or seeds < 2:
        return Estimate(float(weighting.means(scores).mean()), UNKNOWN, 1.0)
    by_seed, by_unit, mean = cells.mean(axis=1), cells.mean(axis=0), float(cells.mean())
    rest = cells - by_seed[:, np.newaxis] - by_unit + mean
    # Each as a variance of the mean: the mean square over the number of cells.
    of_seeds = float(by_seed.var(ddof=1)) / seeds
    of_units = float(by_unit.var(ddof=1)) / units
    of_rest = float((rest**2).sum()) / ((seeds - 1) * (units - 1)) / (seeds * units)
    imagined = 2 * largest**2 if counted else 0.0
    # A variance is not negative: where a mean square is below that of the rest, its component is 0.
    variance = max(of_seeds, of_rest) + max(of_units, of_rest) - of_rest + imagined
    if variance <= 0:
        return Estimate(mean, 0.0, float(units - 1))
    spread = of_seeds**2 / (seeds - 1) + (of_units + imagined) ** 2 / (units - 1) + of_rest**2 / ((seeds - 1) * (units - 1))
    return Estimate(mean, math.sqrt(variance), max(1.0, variance**2 / spread))
