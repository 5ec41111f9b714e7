"""The calibration, small: simulated studies in which nothing is better, real networks whose true
difference is known, a planted effect.

`python -m benchmarks.calibration`, `python -m benchmarks.coverage` and `python -m benchmarks.outer`
do it at length; docs/statistics.md has their numbers.
"""

from dataclasses import replace
from typing import Any

import pytest

from benchmarks import calibration, coverage, outer
from benchmarks.simulated import NULLS, PLANTED_GAIN, TUNED_NULLS, UNFAIR_GAIN, Problem
from benchmarks.studies import Outcome, of_digits_noisy, simulated
from benchmarks.truth import Size, truth
from experiments.evaluation import Setting
from experiments.verdict import BETTER, SAME
from nnreg import Lambdas
from sweeps.confirmation.crossed import Estimate
from sweeps.confirmation.tests import compare

BASELINE = Setting(Lambdas(), 1e-3)
STUDIES = range(2, 11)
"""Among them are some in which a test over the seeds claims a difference."""
SMALL: dict[str, Any] = {
    "sweep": {"trials": 8, "generation": 4, "baseline": 4},
    "confirm": {"top": 1, "seeds": 5},
}


def test_where_seeds_agree_nothing_is_claimed_that_seeds_alone_would_claim() -> None:
    """Studies in which no setting is truly better; a test over the seeds alone finds some."""
    settings = {**SMALL, "confirm": {"top": 1}}
    found = [simulated(NULLS[1], number, **settings, force=True) for number in STUDIES]
    limit = calibration.most(len(STUDIES))
    assert sum(one.over_seeds < 0.05 for one in found) > limit
    assert sum(one.forced[0].p < 0.05 for one in found) <= limit
    assert sum(one.false for one in found) <= limit


@pytest.mark.parametrize("null", [*NULLS[:1], *NULLS[2:], *TUNED_NULLS], ids=lambda null: null.name)
def test_every_null_is_studied(null: Problem) -> None:
    found = simulated(null, 0, **SMALL, force=True)
    assert not found.false
    assert found.forced


def test_what_is_better_is_found() -> None:
    edits = ["sweep.trials=24", "sweep.baseline=8", "training.epochs=40", "confirm.seeds=4"]
    found = of_digits_noisy([*edits, "confirm.top=2", *calibration.DIGITS], 0)
    assert (found.word, found.claimed[0]) == (BETTER, BETTER)


def test_only_a_gain_that_survives_tuning_is_claimed() -> None:
    small: dict[str, Any] = {"sweep": {"trials": 32}, "confirm": {"top": 2, "seeds": 5}}
    unfair, fair, planted = (
        simulated(problem, 0, **small).word
        for problem in (calibration.untuned(UNFAIR_GAIN), UNFAIR_GAIN, PLANTED_GAIN)
    )
    assert (unfair, fair, planted) == (BETTER, SAME, BETTER)


def test_the_truth_of_a_gain_that_tuning_takes_away() -> None:
    size = Size(settings=24, search_rows=500, seeds=16, rows=2_000)
    fair, old = (
        truth(problem, size, 1) for problem in (UNFAIR_GAIN, calibration.untuned(UNFAIR_GAIN))
    )
    assert abs(fair.gain) < 0.005
    assert old.gain > 0.03


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


@pytest.mark.parametrize("objective", [outer.BALANCED, outer.LOSS])
def test_outer_folds_of_tables_are_counted(objective: str) -> None:
    settings: dict[str, Any] = {
        "objective": objective,
        "inner": 2,
        "settings": (2, 1),
        "alike": True,
    }
    case = replace(outer.GROUPS, rows=100, **settings)
    name, rows, tables, *_, pooled = outer.report(case, 2, "")
    assert (name, rows, tables) == (case.name, "100", "2")
    missed, width, better = (float(number) for number in pooled.split(" / "))
    assert missed in (0, 50, 100)
    assert width > 5
    assert better in (0, 50, 100)


def test_a_row_counts_what_is_false() -> None:
    (compared,), (nothing,) = (
        compare({"baseline": BASELINE}, {BASELINE: Estimate(mean, 0.01, 50.0)}, 0.025, 0.01)
        for mean in (0.1, 0.0)
    )
    common = {"seconds": 1.0, "over_seeds": 0.01}
    right = Outcome(word="same", claimed=(), forced=(nothing,), **common)
    claims = ("undecided", "worse")
    wrong = Outcome(word="undecided", claimed=claims, forced=(compared,), **common)
    row = calibration.report(NULLS[0], [right] * 999 + [wrong])
    assert row.endswith("| 1000 | 1 | 1 | 67 | 1 | 37 | 1 | 1000 | 1.00 |")
