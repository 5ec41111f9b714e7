"""The choice: the winner, the simplest setting that is as good, the roles of each, what may be
claimed of losses, who is tied with the winner, and the tolerance of each lambda.
"""

import dataclasses
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from experiments.records import StudyRecord, TrialRecord
from experiments.verdict import BASELINE, CANDIDATE, RECOMMENDED, WINNER
from nnreg import Lambdas
from sweeps.confirmation import choice
from sweeps.confirmation.choice import Choice
from sweeps.confirmation.crossed import UNKNOWN, Weighting
from tests.studies import make_study

OFF, ONE, TWO = Lambdas(), Lambdas(weight_l2=1e-3), Lambdas(weight_l1=1e-4, weight_l2=1e-3)
CHOICE = Choice(Weighting(), by_hits=True)


def hits(found: int, of: int = 200, seeds: int = 4) -> np.ndarray:
    """Scores of networks that find the first so many rows, whatever the seed."""
    return np.tile((np.arange(of) < found).astype(np.float64), (seeds, 1))


def scored(study: StudyRecord, values: dict[int, float], **lambdas: Lambdas) -> StudyRecord:
    """The study with these objectives and the loss 1 - objective, and lambdas by `trial_7=...`."""

    def changed(trial: TrialRecord) -> TrialRecord:
        value = values.get(trial.trial, 0.0)
        metrics = dataclasses.replace(trial.metrics, val_accuracy=value, val_data_loss=1 - value)
        own = lambdas.get(f"trial_{trial.trial}", trial.lambdas)
        return dataclasses.replace(trial, metrics=metrics, lambdas=own)

    return dataclasses.replace(study, trials=tuple(map(changed, study.trials)))


def test_the_best_of_the_search_and_the_baseline_are_candidates_each_setting_once() -> None:
    values = {1: 0.9, 2: 0.8, 3: 0.7, 5: 0.6}
    study = scored(make_study(8), values, trial_1=TWO, trial_2=TWO, trial_3=OFF, trial_5=ONE)
    found = choice.candidates(study, top=2)
    assert {lambdas: trial.trial for lambdas, trial in found.items()} == {OFF: 0, TWO: 1, ONE: 5}


def test_the_winner_has_the_best_mean_and_of_equal_ones_the_fewest_lambdas() -> None:
    assert CHOICE.winner([TWO, OFF, ONE], {OFF: hits(100), ONE: hits(150), TWO: hits(150)}) == ONE
    assert CHOICE.winner([TWO, OFF, ONE], {OFF: hits(100), ONE: hits(150), TWO: hits(151)}) == TWO


@pytest.mark.parametrize(
    ("baseline", "expected"),
    [
        (150, OFF),  # as good
        (149, OFF),  # one row apart: the standard error of one row is one row
        (148, ONE),  # two rows apart, and their standard error is 1.4 rows
    ],
)
def test_recommended_is_the_simplest_within_one_standard_error(
    baseline: int, expected: Lambdas
) -> None:
    scores = {OFF: hits(baseline), ONE: hits(150), TWO: hits(150)}
    assert CHOICE.recommended(TWO, [OFF, ONE, TWO], scores) == expected
    better = Lambdas(bias_l1=1e-3)
    scores |= {OFF: hits(100), ONE: hits(149), better: hits(150)}
    assert CHOICE.recommended(TWO, [OFF, ONE, better, TWO], scores) == better


@given(st.lists(st.integers(90, 110), min_size=3, max_size=3), st.permutations([OFF, ONE, TWO]))
def test_the_order_does_not_matter(found: list[int], shuffled: list[Lambdas]) -> None:
    settings = [OFF, ONE, TWO]
    scores = {lambdas: hits(number) for lambdas, number in zip(settings, found, strict=True)}
    winner = CHOICE.winner(settings, scores)
    assert CHOICE.winner(shuffled, scores) == winner
    recommended = CHOICE.recommended(winner, settings, scores)
    assert CHOICE.recommended(winner, shuffled, scores) == recommended


def test_every_setting_is_there_in_each_of_its_roles() -> None:
    study = scored(make_study(4), {1: 0.9, 2: 0.8}, trial_1=TWO, trial_2=ONE)
    trials = choice.candidates(study, top=2)
    roles = [
        (WINNER, TWO),
        (CANDIDATE, ONE),
        ("without_weight_l1", ONE),
        ("without_weight_l2", Lambdas(weight_l1=1e-4)),
        (RECOMMENDED, ONE),
        ("recommended_without_weight_l2", OFF),
        (BASELINE, OFF),
    ]
    assert choice.roles(trials, TWO, ONE) == roles
    assert choice.roles(trials, TWO, TWO) == [*roles[:4], (RECOMMENDED, TWO), (BASELINE, OFF)]
    assert choice.roles(trials, OFF, OFF)[0] == (WINNER, OFF)


@pytest.mark.parametrize("rows", [29, 30])
def test_of_few_losses_nothing_is_claimed(rows: int) -> None:
    generator = np.random.default_rng(0)
    better, worse = generator.random((5, rows)), generator.random((5, rows)) - 5
    by_row = Choice(Weighting(), by_hits=False)
    assert by_row.described(better, worse).p < 1e-6
    assert (by_row.claimed(better, worse).error == UNKNOWN) == (rows < 30)
    assert by_row.claimed(better, worse).mean == by_row.described(better, worse).mean
    assert CHOICE.claimed(better, worse).error < UNKNOWN
    in_groups = Choice(Weighting(None, np.arange(rows) // 2), by_hits=False)
    assert in_groups.claimed(better, worse).error == UNKNOWN


def test_the_width_is_two_standard_deviations_pooled() -> None:
    """Of differences over two seeds: 0 and 0.06 (variance 0.0018), 0 and 0.08 (0.0032)."""
    winner, one, other = (np.array([[0.5], [0.5 - step]]) for step in (0, 0.06, 0.08))
    assert CHOICE.width(winner, []) == 0
    assert CHOICE.width(winner, [one]) == pytest.approx(2 * math.sqrt(0.0018))
    assert CHOICE.width(winner, [one, other]) == pytest.approx(2 * math.sqrt(0.0025))


@pytest.mark.parametrize("objective", ["val_accuracy", "val_data_loss"])
def test_tied_is_who_is_no_further_below(objective: str) -> None:
    study = make_study(5, sweep={"objective": objective})
    study = scored(study, {trial: 0.5 + trial / 10 for trial in range(5)})
    mean = study.value(study.ranked[0])
    for width, tied in ((0.0, [4]), (0.15, [3, 4]), (1.0, [0, 1, 2, 3, 4])):
        assert [trial.trial for trial in choice.tied(study, mean, width)] == tied


def test_the_span_of_each_searched_lambda() -> None:
    study = make_study(2, lambdas={"bias_l2": 1e-3})
    settings = [
        Lambdas(weight_l1=1e-5, weight_l2=3e-5, bias_l2=1e-3),
        Lambdas(weight_l1=0.09, weight_l2=2e-3, bias_l2=1e-3),
        Lambdas(weight_l2=1e-4, bias_l2=1e-3),
    ]
    spans = [dataclasses.astuple(span) for span in choice.tolerances(study, settings)]
    assert spans == [
        ("weight_l1", 1e-5, 0.09, True, 1.0),  # 0.09 is next to 0.1, where the search ended
        ("weight_l2", 3e-5, 2e-3, False, None),
        ("bias_l1", None, None, True, None),
    ]
