"""Outer folds: against formulas that hold in special cases, and against what simulated folds do."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from sweeps.confirmation.crossed import Estimate, Scores, Weighting, estimate
from sweeps.confirmation.pooled import pooled

FOLDS, SEEDS, ROWS = 5, 4, 12
PLAIN = Weighting()
CORRECTED = 1 + FOLDS / (FOLDS - 1)  # Nadeau and Bengio's correction

Folds = list[Scores]


def drawn(
    rng: np.random.Generator, training: float, shared: float = 0.0, seeds: float = 0.0
) -> Folds:
    """Five folds of 40 rows, with mean 0. Standard deviations: 1 of a row, `seeds` of a seed in a
    fold, and `training` of a training set, a share of whose variance all folds share.
    """
    own, common = math.sqrt(1 - shared), math.sqrt(shared) * rng.standard_normal()
    return [
        rng.standard_normal((1, 40))
        + seeds * rng.standard_normal((SEEDS, 1))
        + training * (own * rng.standard_normal() + common)
        for _ in range(FOLDS)
    ]


def plain(folds: Folds) -> Estimate:
    return pooled(folds, None, None, counted=False)


def test_one_fold_is_a_test_set() -> None:
    scores = np.random.default_rng(0).integers(-1, 2, (SEEDS, 50)).astype(np.float64)
    y, groups = np.arange(50) % 3, np.arange(50) // 2
    found = pooled([scores], [y], [groups], counted=True)
    assert found == estimate(scores, Weighting(y, groups), counted=True)


def test_folds_that_agree_halve_the_guess() -> None:
    """Each fold has the same rows: nothing varies between folds."""
    fold = np.tile(np.repeat([-1.0, 1.0], 20), (SEEDS, 1))
    found, rows = plain([fold] * FOLDS), estimate(np.tile(fold, FOLDS), PLAIN, counted=False)
    assert found.error**2 == pytest.approx(CORRECTED * rows.error**2 / 2)
    assert found.freedom == 2 * (FOLDS - 1)


def test_folds_that_differ_a_little_are_averaged_with_the_guess() -> None:
    folds = drawn(np.random.default_rng(1), training=0.0)
    rows, means = (
        estimate(np.concatenate(folds, axis=1), PLAIN, counted=False),
        np.array([fold.mean() for fold in folds]),
    )
    found = plain(folds)
    assert means.var(ddof=1) / FOLDS < CORRECTED * rows.error**2  # else the next test's
    expected = (CORRECTED * rows.error**2 + means.var(ddof=1) / FOLDS) / 2
    assert found.error**2 == pytest.approx(expected)
    assert found.mean == pytest.approx(means.mean())
    assert found.freedom == 2 * (FOLDS - 1)


def test_folds_that_differ_much_count_alone() -> None:
    """Then it is nearly Student's t over the means of the folds."""
    folds = drawn(np.random.default_rng(2), training=30.0)
    means = np.array([fold.mean() for fold in folds])
    found = plain(folds)
    assert found.error**2 == pytest.approx(means.var(ddof=1) / FOLDS)
    assert FOLDS - 1 < found.freedom < FOLDS - 0.7


def test_the_guess_counts_no_more_than_the_rows_do() -> None:
    """Two seeds differ, and no rows: the row-based estimate has one degree of freedom."""
    fold = np.repeat([[0.0], [1.0]], 40, axis=1)
    assert plain([fold] * FOLDS).freedom == pytest.approx(FOLDS)


def test_nothing_differs() -> None:
    found = plain([np.zeros((SEEDS, ROWS))] * FOLDS)
    assert (found.mean, found.error, found.p) == (0, 0, 1)
    counted = pooled([np.zeros((SEEDS, ROWS))] * FOLDS, None, None, counted=True)
    assert counted.error > 0  # the imagined rows


def test_one_seed_tells_nothing() -> None:
    interval = pooled([np.ones((1, ROWS))] * FOLDS, None, None, counted=True).interval(0.95)
    assert (interval.low, interval.high) == (-1, 1)


def test_folds_have_the_same_seeds() -> None:
    with pytest.raises(ValueError, match="dimension"):
        plain([np.zeros((2, ROWS)), np.zeros((3, ROWS))])


SCORES = arrays(np.float64, (SEEDS, FOLDS * ROWS), elements=st.sampled_from([-1, -0.4, 0, 0.4, 1]))


@given(SCORES, st.booleans(), st.booleans(), st.booleans(), st.integers(0, 99))
def test_neither_the_order_of_folds_nor_that_of_rows_matters(
    scores: Scores, counted: bool, balanced: bool, grouped: bool, seed: int
) -> None:
    """Nor does the sign, but for that of the mean."""
    rng = np.random.default_rng(seed)
    y = np.arange(scores.shape[1]) % 3
    groups = np.arange(scores.shape[1]) % ROWS // 4  # three groups per fold

    def of(places: np.ndarray, sign: int = 1) -> Estimate:
        folds = np.split(sign * scores[:, places], FOLDS, axis=1)
        of_y, of_groups = np.split(y[places], FOLDS), np.split(groups[places], FOLDS)
        return pooled(
            folds, of_y if balanced else None, of_groups if grouped else None, counted=counted
        )

    places = np.arange(scores.shape[1])
    of_folds = places.reshape(FOLDS, ROWS)
    first, turned = of(places), of(places, -1)
    moved = of(rng.permuted(rng.permutation(of_folds), axis=1).ravel())
    for other, sign in ((moved, 1), (turned, -1)):
        assert other.mean == pytest.approx(sign * first.mean, abs=1e-12)
        assert other.error == pytest.approx(first.error, rel=1e-6, abs=1e-9)
        assert other.freedom == pytest.approx(first.freedom, rel=1e-6)
        assert other.skewness == pytest.approx(sign * first.skewness, rel=1e-6, abs=1e-6)


def test_rows_of_a_group_count_as_one() -> None:
    """Every row three times over, as a group, is what the row alone is."""
    folds = drawn(np.random.default_rng(3), training=0.1)
    groups = [np.repeat(np.arange(40), 3)] * FOLDS  # each fold has a group 0
    together = pooled([np.repeat(fold, 3, axis=1) for fold in folds], None, groups, counted=False)
    assert together.error == pytest.approx(plain(folds).error)


def test_folds_with_other_shares_of_the_classes_do_not_differ() -> None:
    """Balanced: one class gains, the other loses, the same in all folds."""
    y = np.concatenate([np.arange(ROWS) < ones for ones in (2, 4, 6, 8, 10)]).astype(np.int64)
    every = np.tile(2.0 * y - 1, (SEEDS, 1))
    folds, rows = np.split(every, FOLDS, axis=1), estimate(every, Weighting(y), counted=True)
    found = pooled(folds, np.split(y, FOLDS), None, counted=True)
    assert found.error**2 == pytest.approx(CORRECTED * rows.error**2 / 2)
    assert pooled(folds, None, None, counted=True).error > 2 * found.error


def test_a_larger_fold_counts_more() -> None:
    """A fold of half of all rows, which gain, moves the mean as much as all the others."""
    sizes, signs = (10, 40, 10, 10, 10), (-1.0, 1.0, -1.0, -1.0, -1.0)
    folds = [np.full((SEEDS, size), sign) for size, sign in zip(sizes, signs, strict=True)]
    moved = np.multiply(sizes, signs) / 80
    assert plain(folds).error ** 2 == pytest.approx(FOLDS * moved.var(ddof=1))


def test_skewness_is_that_of_the_rows() -> None:
    folds = [np.exp(fold) for fold in drawn(np.random.default_rng(5), training=0.5)]
    rows, found = estimate(np.concatenate(folds, axis=1), PLAIN, counted=False), plain(folds)
    assert found.skewness * found.error**3 == pytest.approx(rows.skewness * rows.error**3)
    assert 0 < found.skewness < rows.skewness


@pytest.mark.parametrize(
    ("training", "shared"), [(0.0, 0.0), (0.15, 0.0), (0.3, 0.0), (3.0, 0.0), (0.15, 0.25)]
)
def test_an_interval_misses_the_truth_at_most_as_often_as_it_says(
    training: float, shared: float
) -> None:
    """Where training sets add nothing to the variance of the mean, as much as rows, four times as
    much, and far more.
    """
    rng = np.random.default_rng(4)
    found = [plain(drawn(rng, training, shared, seeds=0.1)) for _ in range(1_000)]
    misses = np.mean([one.p < 0.05 for one in found])
    # Six of 100 (docs/statistics.md), and two standard errors.
    assert misses < 0.06 + 2 * math.sqrt(0.06 * 0.94 / 1_000)
