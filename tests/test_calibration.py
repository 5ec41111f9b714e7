"""The calibration, small: made data in which nothing is better, real networks whose true difference
is known, a planted effect.

`python -m benchmarks.calibration` and `python -m benchmarks.coverage` do it at length;
docs/statistics.md has their numbers.
"""

from typing import Any

import pytest

from benchmarks import calibration, coverage
from benchmarks.command import scripts
from experiments.verdict import BETTER
from nnreg import Lambdas
from sweeps.confirmation.crossed import Estimate
from sweeps.confirmation.tests import compare

STUDIES = 16
SMALL: dict[str, Any] = {"sweep": {"trials": 8, "generation": 4}, "confirm": {"top": 1, "seeds": 5}}


def test_where_seeds_agree_nothing_is_claimed_that_seeds_alone_would_claim() -> None:
    """16 studies in which no setting is truly better. A test over the seeds alone would say so in
    many of them.
    """
    found = [calibration.null(calibration.NULLS[1], number, **SMALL) for number in range(STUDIES)]
    limit = calibration.most(STUDIES)
    assert sum(one.over_seeds < 0.05 for one in found) > limit
    assert sum(one.forced[0].p < 0.05 for one in found) <= limit
    assert sum(one.false for one in found) <= limit


@pytest.mark.parametrize(
    "null", [calibration.NULLS[0], *calibration.NULLS[2:]], ids=lambda null: null.name
)
def test_every_null_is_studied(null: calibration.Null) -> None:
    found = calibration.null(null, 0, **SMALL)
    assert not found.false
    assert found.forced


def test_what_is_better_is_found() -> None:
    found = calibration.planted(["sweep.trials=16", "confirm.seeds=4", "confirm.top=2"], 0)
    assert found.word == BETTER
    assert found.claimed[0] == BETTER


@pytest.mark.parametrize(
    ("measure", "most"),
    [
        ("accuracy", 0.09),
        ("loss", 0.12),
    ],  # of 300 draws 5 % miss, deviation 1.3 %; skewed losses a little more
)
def test_an_interval_misses_the_truth_as_often_as_it_says(measure: str, most: float) -> None:
    people = coverage.population(coverage.HELPFUL, coverage.THIRDS, 1, seeds=60, rows=4_000)
    ratio, (share, _) = coverage.missed(people, measure, rows=150, samples=300)
    assert share < most
    assert (
        0.8 < ratio < 1.8
    )  # of a variance from 300 draws, deviation 8 %; imagined rows add to that of accuracies


def test_they_are_asked_for_by_name() -> None:
    """All benchmarks together take half an hour; these would double that."""
    assert not {"calibration", "coverage"} & set(scripts())


def test_a_row_counts_what_is_false() -> None:
    baseline = {"baseline": Lambdas()}
    (compared,), (nothing,) = (
        compare(baseline, {Lambdas(): Estimate(mean, 0.01, 50.0)}, alpha=0.025, margin=0.01)
        for mean in (0.1, 0.0)
    )
    right = calibration.Outcome(
        word="same", claimed=(), forced=(nothing,), over_seeds=0.5, seconds=1.0
    )
    wrong = calibration.Outcome(
        word="undecided",
        claimed=("undecided", "worse"),
        forced=(compared,),
        over_seeds=0.01,
        seconds=2.0,
    )
    row = calibration.report(calibration.NULLS[0], [right] * 999 + [wrong])
    assert row.endswith("| 1000 | 1 | 1 | 67 | 1 | 37 | 1 | 1 | 1.00 |")
