"""Crossed random effects: against formulas that hold in special cases, and against what simulated
scores do.
"""

import math
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from scipy import stats

from sweeps.confirmation.crossed import Estimate, Weighting, estimate

PLAIN = Weighting()


def drawn(shape: tuple[int, int], parts: Sequence[float], rng: np.random.Generator) -> np.ndarray:
    """Scores (seeds, rows) with mean 0, and the standard deviations of seeds, rows and the rest."""
    seeds, rows = shape
    shapes = ((seeds, 1), (1, rows), shape)
    return sum(part * rng.standard_normal(each) for part, each in zip(parts, shapes, strict=True))


def test_where_only_rows_or_only_seeds_differ_it_is_the_t_test_over_these() -> None:
    half = np.random.default_rng(0).standard_normal(20)
    values = np.concatenate([0.3 + half, 0.3 - half])  # not skewed: nothing to take out
    of_rows = np.tile(values, (10, 1))
    for scores in (of_rows, of_rows.T):
        found = estimate(scores, PLAIN, counted=False)
        expected = stats.ttest_1samp(values, 0.0)
        assert found.p == pytest.approx(expected.pvalue, rel=1e-9)  # rounding of sums
        assert found.freedom == pytest.approx(39)


@pytest.mark.parametrize("parts", [(1, 1, 1), (0.1, 1, 1), (1, 0.1, 1), (0.3, 0.3, 3), (0, 1, 1)])
def test_the_variance_is_that_of_the_mean(parts: tuple[float, float, float]) -> None:
    generator = np.random.default_rng(1)
    studies = [drawn((10, 60), parts, generator) for _ in range(2_000)]
    found = [estimate(scores, PLAIN, counted=False) for scores in studies]
    true = parts[0] ** 2 / 10 + parts[1] ** 2 / 60 + parts[2] ** 2 / 600
    # Each estimate has a relative deviation below 0.5 (9 degrees of freedom), their mean one of
    # 0.011; components that are cut off at 0 make it larger, never smaller.
    ratio = np.mean([one.error**2 for one in found]) / true
    assert 0.95 < ratio < 1.25
    false = np.mean([one.p < 0.05 for one in found])
    # Three deviations, and Satterthwaite's degrees of freedom are an approximation.
    assert false < 0.05 + 3 * math.sqrt(0.05 * 0.95 / 2_000) + 0.01


SHAPES = array_shapes(min_dims=2, max_dims=2, min_side=2, max_side=9)


@given(arrays(np.float64, SHAPES, elements=st.integers(-1, 1).map(float)), st.booleans())
def test_it_turns_with_the_sign_and_is_never_sure_of_few_rows(
    scores: np.ndarray, counted: bool
) -> None:
    found, turned = (estimate(each, PLAIN, counted=counted) for each in (scores, -scores))
    assert turned.mean == -found.mean
    assert turned.error == pytest.approx(found.error, rel=1e-12)  # sums of squares in another order
    assert found.mean == pytest.approx(scores.mean())
    assert turned.p == pytest.approx(found.p, rel=1e-6, abs=1e-12)
    if counted:
        assert found.error >= 2 / (scores.shape[1] * math.sqrt(2 + scores.shape[1])) * (1 - 1e-12)


ESTIMATES = [st.floats(-5, 5), st.floats(0.1, 2), st.floats(2, 200), st.floats(-1.5, 1.5)]


@given(st.builds(Estimate, *ESTIMATES), st.floats(0.5, 0.999))
def test_an_interval_leaves_0_out_where_p_is_small(found: Estimate, level: float) -> None:
    interval = found.interval(level)
    if abs(found.p - (1 - level)) > 1e-6:  # rounding of the cubic and its inverse
        assert (interval.low > 0 or interval.high < 0) == (found.p < 1 - level)


def test_where_seeds_agree_two_rows_are_imagined() -> None:
    rows = np.repeat([1.0, -1.0, 0.0], [7, 2, 91])
    found = estimate(np.tile(rows, (10, 1)), PLAIN, counted=True)
    assert found.error**2 == pytest.approx(rows.var(ddof=1) / 100 + 2 / 100**2)


def test_where_seeds_differ_the_imagined_rows_are_smaller() -> None:
    """Each of 10 seeds differs on other rows: no row is worth more than a tenth."""
    scores = np.zeros((10, 100))
    scores[np.arange(10), 10 * np.arange(10)] = 1.0
    found, plain = estimate(scores, PLAIN, counted=True), estimate(scores, PLAIN, counted=False)
    assert found.error**2 - plain.error**2 == pytest.approx(2 / 100**2 * (2 + 10 * 0.01) / (2 + 10))


@pytest.mark.parametrize("rows", [30, 36, 114, 360])
def test_the_interval_of_an_accuracy_misses_at_most_as_often_as_it_says(rows: int) -> None:
    """Exactly, for networks that agree: over all counts of hits that there may be."""
    counts = np.arange(rows + 1)
    networks = [np.tile(counts[:-1] < hits, (2, 1)).astype(float) for hits in counts]
    intervals = [estimate(scores, PLAIN, counted=True).interval(0.95) for scores in networks]
    for accuracy in (0.7, 0.85, 0.9, 0.95, 0.97, 0.98, 0.99, 0.995):
        misses = np.array([not interval.low <= accuracy <= interval.high for interval in intervals])
        assert stats.binom.pmf(counts, rows, accuracy)[misses].sum() < 0.05


def test_skewed_losses_are_missed_less_often() -> None:
    generator = np.random.default_rng(5)
    truth, missed, by_t = math.exp(0.5), 0, 0
    for _ in range(2_000):
        rows = np.exp(generator.standard_normal(30))
        scores = np.tile(rows, (4, 1))
        interval = estimate(scores, PLAIN, counted=False).interval(0.95)
        missed += not interval.low <= truth <= interval.high
        low, high = stats.ttest_1samp(rows, 0.0).confidence_interval()
        by_t += not low <= truth <= high
    assert by_t > 0.11 * 2_000
    assert missed < 0.09 * 2_000


def test_rows_of_a_rare_class_weigh_more() -> None:
    y = np.array([0] * 90 + [1] * 10)
    scores = np.where(y == 1, 1.0, 0.0) * np.ones((4, 1))
    weighting = Weighting(y)
    assert estimate(scores, weighting, counted=True).mean == pytest.approx(0.5)
    np.testing.assert_allclose(weighting.means(scores), 0.5)
    units, weights = weighting.units(scores)
    np.testing.assert_allclose(units, 0.5)  # within a class all rows agree: nothing varies
    np.testing.assert_allclose(weights, np.where(y == 1, 1 / 20, 1 / 180))


def test_rows_of_a_group_count_as_one() -> None:
    """Every row five times over, as a group, is what the row alone is."""
    rows = np.random.default_rng(3).standard_normal((6, 30))
    alone = estimate(rows, PLAIN, counted=False)
    five, groups = np.repeat(rows, 5, axis=1), Weighting(None, np.repeat(np.arange(30), 5))
    together = estimate(five, groups, counted=False)
    assert together.mean == pytest.approx(alone.mean)
    assert together.error == pytest.approx(alone.error)
    assert estimate(five, PLAIN, counted=False).error < 0.8 * alone.error


def test_one_row_tells_nothing() -> None:
    found = estimate(np.ones((10, 1)), PLAIN, counted=True)
    assert math.isfinite(found.error)
    interval = found.interval(0.95)
    assert (interval.low, interval.high) == (-1, 1)  # all that there can be, and no more


def test_what_is_detectable_is_detected_four_times_in_five() -> None:
    rng = np.random.default_rng(4)

    def one() -> np.ndarray:
        return drawn((10, 200), (0.1, 1, 0.5), rng)

    detectable = estimate(one(), PLAIN, counted=False).detectable(0.05)
    found = [estimate(one() + detectable, PLAIN, counted=False).p < 0.05 for _ in range(500)]
    # 0.8 with a deviation of 0.02, and of the one estimate that it was told from
    assert 0.7 < np.mean(found) < 0.9
