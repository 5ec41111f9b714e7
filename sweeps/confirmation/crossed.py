"""Crossed random effects: the mean of scores that vary with the seed and with the row, and its
standard error.

A score d[s, r] is seen for every seed s and every row r: d = mean + seed + row + rest, all random.
The variance of the mean has three parts, each estimated from its mean square (Searle, Casella and
McCulloch, Variance Components, 1992, chapter 4), and Satterthwaite's degrees of freedom (Biometrics
Bulletin 2, 1946). docs/statistics.md has the reasoning, and how well it holds.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from experiments.verdict import Interval
from nnreg.losses import WORST_LOSS

Scores = NDArray[np.float64]
Rows = NDArray[np.int64]

UNKNOWN = WORST_LOSS  # the standard error from one row or one seed: the largest score that there is
NEGLIGIBLE = 1e-9  # a skewness below which Hall's transformation is rounding alone
POWER = 0.8
LEVEL = 0.95  # of the intervals that describe and do not claim


@dataclass(frozen=True)
class Weighting:
    """What each row counts. `y` (rows,) are classes where every class counts the same, None where
    every row does; `groups` (rows,) are rows that belong together, None if each stands alone.
    """

    y: Rows | None = None
    groups: Rows | None = None

    def weights(self, rows: int) -> Scores:
        """Return the weight of each row, (rows,), adding up to 1."""
        if self.y is None:
            return np.full(rows, 1 / rows)
        classes, inverse, counts = np.unique(self.y, return_inverse=True, return_counts=True)
        return 1 / (len(classes) * counts[inverse])

    def means(self, scores: Scores) -> Scores:
        """Return the mean of each seed, (seeds,), of scores (seeds, rows)."""
        return scores @ self.weights(scores.shape[1])

    def units(self, scores: Scores) -> tuple[Scores, Scores]:
        """Return what each independent unit (a row or a group of rows) contributes, (seeds, units),
        whose plain mean over the units is the seed's mean; and the weight of each unit, (units,).

        A class's mean is a ratio of two sums over rows: a unit contributes what it moves that ratio
        by (linearisation: Särndal, Swensson and Wretman, Model Assisted Survey Sampling, 1992,
        chapter 5), so differences between classes are no part of the variance.
        """
        weights = self.weights(scores.shape[1])
        mean = float((scores @ weights).mean())
        centre = np.full(scores.shape[1], mean)
        if self.y is not None:
            overall = scores.mean(axis=0)
            for one in np.unique(self.y):
                centre[self.y == one] = overall[self.y == one].mean()
        influence = self.together((scores - centre) * weights)
        return influence * influence.shape[1] + mean, self.together(weights)

    def together(self, values: Scores) -> Scores:
        """Return values (..., rows) added up over the rows of each unit, (..., units)."""
        if self.groups is None:
            return values
        _, inverse = np.unique(self.groups, return_inverse=True)
        added: Scores = np.zeros((inverse.max() + 1, *values.shape[:-1]))
        np.add.at(added, inverse, values.T)
        return added.T


@dataclass(frozen=True)
class Estimate:
    """A mean, its standard error with its degrees of freedom, the skewness of the mean's
    distribution, and the largest value that the mean can have.

    Intervals and p-values are Student's t of the ratio of mean and error, which Hall's
    transformation frees of its skewness (Hall, J. Royal Statistical Society B 54, 1992). Without
    it, an interval of 30 rows of losses misses the truth in 12 % of cases in place of 5 %.
    """

    mean: float
    error: float
    freedom: float
    skewness: float = 0.0
    most: float = math.inf

    def interval(self, level: float) -> Interval:
        quantile = self._quantile((1 + level) / 2)
        low, high = (self.mean - self._skewed(each) * self.error for each in (quantile, -quantile))
        whole = Interval(mean=self.mean, low=low, high=high, level=level)
        return whole.within(-self.most, self.most)

    @property
    def p(self) -> float:
        """The two-sided p-value of "the mean is 0"."""
        from scipy import special

        if self.error == 0:
            return 1.0 if self.mean == 0 else 0.0
        ratio, skewness = self.mean / self.error, self.skewness
        straight = ratio + skewness * ratio**2 / 3 + skewness**2 * ratio**3 / 27 + skewness / 6
        return float(2 * special.stdtr(self.freedom, -abs(straight)))

    def detectable(self, alpha: float) -> float:
        """Return the smallest true mean that a two-sided test at `alpha` finds with 80 % power."""
        return (self._quantile(1 - alpha / 2) + self._quantile(POWER)) * self.error

    def _skewed(self, quantile: float) -> float:
        """Return the ratio that Hall's transformation maps to this quantile."""
        if abs(self.skewness) < NEGLIGIBLE:
            return quantile
        straight = 1 + self.skewness * (quantile - self.skewness / 6)
        return float(3 / self.skewness * (np.cbrt(straight) - 1))

    def _quantile(self, probability: float) -> float:
        from scipy import special  # scipy.stats has the same behind an import of half a second

        return float(special.stdtrit(self.freedom, probability)) if self.error > 0 else 0.0


def estimate(scores: Scores, weighting: Weighting, *, counted: bool) -> Estimate:
    """Return the mean of scores (seeds, rows).

    `counted` is whether the scores are hits, or differences of hits: what one row can do is then
    bounded, and few rows that differ are told from none by `_imagined`. Losses have no such bound,
    and are skewed.
    """
    cells, weights = weighting.units(scores)
    most = 1.0 if counted else math.inf
    seeds, units = cells.shape
    if units < 2 or seeds < 2:
        return Estimate(float(weighting.means(scores).mean()), UNKNOWN, 1.0, most=most)
    by_seed, by_unit, mean = cells.mean(axis=1), cells.mean(axis=0), float(cells.mean())
    rest = cells - by_seed[:, np.newaxis] - by_unit + mean
    # Each as a variance of the mean: the mean square over the number of cells.
    of_seeds = float(by_seed.var(ddof=1)) / seeds
    of_units = float(by_unit.var(ddof=1)) / units
    of_rest = float((rest**2).sum()) / ((seeds - 1) * (units - 1)) / (seeds * units)
    imagined, third = 0.0, 0.0
    if counted:
        rows = scores * weighting.weights(scores.shape[1])
        imagined = _imagined(weighting.together(rows), weights)
    elif units > 2:
        third = float(((by_unit - mean) ** 3).sum()) / (units * (units - 1) * (units - 2))
    # A variance is not negative: where a mean square is below that of the rest, its component is 0.
    variance = max(of_seeds, of_rest) + max(of_units, of_rest) - of_rest + imagined
    if variance <= 0:
        return Estimate(mean, 0.0, float(units - 1), most=most)
    spread = (
        of_seeds**2 / (seeds - 1)
        + (of_units + imagined) ** 2 / (units - 1)
        + of_rest**2 / ((seeds - 1) * (units - 1))
    )
    freedom = max(1.0, variance**2 / spread)
    return Estimate(mean, math.sqrt(variance), freedom, third / variance**1.5, most)


def accuracy(hits: Scores, groups: Rows | None) -> Interval:
    """Return the accuracy of hits (seeds, rows) with its 95 % interval."""
    return estimate(hits, Weighting(None, groups), counted=True).interval(LEVEL).within(0, 1)


def _imagined(contributions: Scores, weights: Scores) -> float:
    """Return the variance that two more units add, one that each side wins, of the largest weight;
    `contributions` are (seeds, units).

    Without them two networks that agree on all of 30 rows would seem to agree on every row there is
    (Bonett and Price, J. Educational and Behavioral Statistics 37, 2012, for pairs that agree or
    differ). Here a unit may differ for some seeds only, or in some of a group's rows. So the
    imagined units have the mean square size of those that differ, among which the two count with
    their full size. Where all seeds agree that is Bonett and Price's variance.
    """
    sizes = contributions.mean(axis=0) / weights  # 1: won with every seed, in all rows of the unit
    differ = int((contributions != 0).any(axis=0).sum())
    return float(2 * weights.max() ** 2 * (2 + (sizes**2).sum()) / (2 + differ))
