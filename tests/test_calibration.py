"""The calibration, small: simulated studies in which nothing is better, real networks whose true
difference is known, a planted effect.

`python -m benchmarks.calibration` and `python -m benchmarks.coverage` do it at length;
docs/statistics.md has their numbers.
"""

from typing import Any

import pytest

from benchmarks import calibration, coverage
from experiments.verdict import BETTER
from nnreg import Lambdas
from sweeps.confirmation.crossed import Estimate
from sweeps.confirmation.tests import compare

STUDIES = 12
SMALL: dict[str, Any] = {"sweep": {"trials": 8, "generation": 4}, "confirm": {"top": 1, "seeds": 5}}


def test_where_seeds_agree_nothing_is_claimed_that_seeds_alone_would_claim() -> None:
    """Studies in which no setting is truly better; a test over the seeds alone finds some."""
    found = [calibration.null(calibration.NULLS[1], number, **SMALL) for number in range(STUDIES)]
    limit = calibration.most(STUDIES)
    assert sum(one.over_seeds < 0.05 for one in found) > limit
    assert sum(one.forced[0].p < 0.05 for one in found) <= limit
    assert sum(one.false for one in found) <= limit


@pytest.mark.parametrize("number", [0, 2, 3, 4, 5])
def test_every_null_is_studied(number: int) -> None:
    found = calibration.null(calibration.NULLS[number], 0, **SMALL)
    assert not found.false
    assert found.forced


def test_what_is_better_is_found() -> None:
    edits = ["sweep.trials=16", "confirm.seeds=4", "confirm.top=2"]
    found = calibration.planted(edits, 0)
    assert (found.word, found.claimed[0]) == (BETTER, BETTER)


@pytest.mark.parametrize(
    ("measure", "most"),
    # Of 300 draws 5 % miss, deviation 1.3 %; skewed losses a little more.
    [("accuracy", 0.09), ("loss", 0.12)],
)
def test_an_interval_misses_the_truth_as_often_as_it_says(measure: str, most: float) -> None:
    people = coverage.population(coverage.HELPFUL, coverage.THIRDS, 1, seeds=60, rows=4_000)
    ratio, (share, _) = coverage.missed(people, measure, rows=150, samples=300)
    assert share < most
    # Of a variance from 300 draws, deviation 8 %; imagined rows add to that of accuracies.
    assert 0.8 < ratio < 1.8


def test_a_row_counts_what_is_false() -> None:
    (compared,), (nothing,) = (
        compare({"baseline": Lambdas()}, {Lambdas(): Estimate(mean, 0.01, 50.0)}, 0.025, 0.01)
        for mean in (0.1, 0.0)
    )
    common = {"seconds": 1.0, "over_seeds": 0.01}
    right = calibration.Outcome(word="same", claimed=(), forced=(nothing,), **common)
    claims = ("undecided", "worse")
    wrong = calibration.Outcome(word="undecided", claimed=claims, forced=(compared,), **common)
    row = calibration.report(calibration.NULLS[0], [right] * 999 + [wrong])
    assert row.endswith("| 1000 | 1 | 1 | 67 | 1 | 37 | 1 | 1000 | 1.00 |")
