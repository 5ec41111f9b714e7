"""The choice: the winner, the smallest set of lambdas that is as good, what is tried without each
of them, what may be claimed of losses, who is tied, whether networks are undertrained, and the
tolerance of each lambda.
"""

import dataclasses
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from experiments.evaluation import Setting
from experiments.records import StudyRecord, TrialRecord
from experiments.section import RateRange
from nnreg import Lambdas
from sweeps.confirmation import choice
from sweeps.confirmation.choice import Choice
from sweeps.confirmation.crossed import UNKNOWN, Weighting
from tests.studies import confirmed_study, make_study


def setting(rate: float = 0.01, **lambdas: float) -> Setting:
    return Setting(Lambdas(**lambdas), rate)


OFF, ONE, TWO = setting(), setting(weight_l2=1e-3), setting(weight_l1=1e-4, weight_l2=1e-3)
CHOICE = Choice(Weighting(), by_hits=True)


def hits(found: int, of: int = 200, seeds: int = 4) -> np.ndarray:
    """Scores of networks that find the first so many rows, whatever the seed."""
    return np.tile((np.arange(of) < found).astype(np.float64), (seeds, 1))


def scored(study: StudyRecord, values: dict[int, float], **settings: Setting) -> StudyRecord:
    """The study with these objectives and the loss 1 - objective, and settings by `trial_7=...`."""

    def changed(trial: TrialRecord) -> TrialRecord:
        value = values.get(trial.trial, 0.0)
        metrics = dataclasses.replace(trial.metrics, val_accuracy=value, val_data_loss=1 - value)
        own = settings.get(f"trial_{trial.trial}", trial.setting)
        return dataclasses.replace(trial, metrics=metrics, setting=own)

    return dataclasses.replace(study, trials=tuple(map(changed, study.trials)))


def test_the_best_of_each_arm_are_candidates_each_setting_once() -> None:
    values = {1: 0.9, 2: 0.8, 3: 0.7, 4: 0.75, 5: 0.6, 6: 0.85, 7: 0.5}
    settings = {1: TWO, 2: TWO, 3: OFF, 4: setting(0.1), 5: ONE, 6: OFF, 7: setting(0.3)}
    study = scored(make_study(8), values, **{f"trial_{n}": one for n, one in settings.items()})
    found = choice.candidates(study, top=2)
    expected = {TWO: 1, ONE: 5, OFF: 6, setting(0.1): 4}
    assert {one: trial.trial for one, trial in found.items()} == expected


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
def test_recommended_is_the_smallest_set_within_one_standard_error(
    baseline: int, expected: Setting
) -> None:
    scores = {OFF: hits(baseline), ONE: hits(150), TWO: hits(150)}
    assert CHOICE.recommended([TWO, ONE, OFF], scores) == expected
    better = setting(bias_l1=1e-3)
    scores |= {OFF: hits(100), ONE: hits(149), better: hits(150)}
    assert CHOICE.recommended([TWO, ONE, better, OFF], scores) == better


@given(st.lists(st.integers(90, 110), min_size=3, max_size=3), st.permutations([OFF, ONE, TWO]))
def test_the_order_does_not_matter(found: list[int], shuffled: list[Setting]) -> None:
    settings = [OFF, ONE, TWO]
    scores = {one: hits(number) for one, number in zip(settings, found, strict=True)}
    assert CHOICE.winner(shuffled, scores) == CHOICE.winner(settings, scores)
    assert CHOICE.recommended(shuffled, scores) == CHOICE.recommended(settings, scores)


def test_every_subset_of_the_winners_lambdas_but_none_and_all() -> None:
    assert choice.subsets(ONE) == {}
    assert choice.subsets(TWO) == {
        "without_weight_l1": ONE,
        "without_weight_l2": setting(weight_l1=1e-4),
    }
    all_on = setting(weight_l1=1e-4, weight_l2=1e-3, bias_l1=1e-5, bias_l2=1e-6)
    found = choice.subsets(all_on)
    assert len(set(found.values())) == 14
    assert found["without_weight_l1+bias_l1+bias_l2"] == ONE


def test_without_a_lambda_the_learning_rate_is_tuned_again_within_its_range() -> None:
    baseline = setting(0.003)
    assert choice.alternatives(OFF, baseline, RateRange()) == {}
    assert choice.alternatives(ONE, baseline, RateRange()) == {"weight_l2": [baseline]}
    tried = choice.alternatives(TWO, baseline, RateRange())
    assert tried["weight_l1"] == [setting(rate, weight_l2=1e-3) for rate in (0.005, 0.01, 0.02)]
    narrow = RateRange(low=0.008, high=0.011)
    tried = choice.alternatives(TWO, baseline, narrow)
    assert [one.learning_rate for one in tried["weight_l2"]] == [0.008, 0.01, 0.011]
    assert choice.alternatives(TWO, baseline, None)["weight_l1"] == [ONE]


@pytest.mark.parametrize(
    ("epochs", "rates", "keys"),
    [
        ([30, 30, 12], [0.01, 0.003], ["epochs"]),
        ([30, 30, 12, 29], [0.01], []),
        ([1], [0.01, 0.0003], ["learning_rate.low"]),
        ([1], [0.099], ["learning_rate.high"]),
        ([30], [0.0003, 0.1], ["epochs", "learning_rate.low", "learning_rate.high"]),
    ],
)
def test_undertrained_names_the_keys(
    epochs: list[int], rates: list[float], keys: list[str]
) -> None:
    training = {"epochs": 30, "learning_rate": {}}
    experiment = make_study(1, training=training).experiment
    found = choice.undertrained(experiment, epochs, map(setting, rates))
    assert found == tuple(f"training.{key}" for key in keys)


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


@pytest.mark.parametrize("keep", ["best", "last"])
@pytest.mark.parametrize("objective", ["val_accuracy", "val_data_loss"])
def test_tied_is_who_is_no_further_below(objective: str, keep: str) -> None:
    """A trial that keeps its own best epoch is compared with networks at theirs."""
    study = make_study(5, sweep={"objective": objective}, training={"keep": keep})
    study = scored(study, {trial: 0.5 + trial / 10 for trial in range(5)})
    best = study.value(study.ranked[0])
    worse, better = (best - 0.3, best + 0.3)[:: 1 if study.maximize else -1]
    curve = (worse, best, worse) if keep == "best" else (worse, better, best)
    made = confirmed_study().replicates[0]
    replicates = [dataclasses.replace(made, curves={objective: curve})] * 2
    for width, tied in ((0.0, [4]), (0.15, [3, 4]), (1.0, [0, 1, 2, 3, 4])):
        assert [trial.trial for trial in choice.indistinguishable(study, replicates, width)] == tied


def test_the_span_of_each_searched_lambda() -> None:
    study = make_study(2, lambdas={"bias_l2": 1e-3})
    settings = [
        setting(weight_l1=1e-5, weight_l2=3e-5, bias_l2=1e-3),
        setting(weight_l1=0.09, weight_l2=2e-3, bias_l2=1e-3),
        setting(weight_l2=1e-4, bias_l2=1e-3),
    ]
    spans = [dataclasses.astuple(span) for span in choice.tolerances(study, settings)]
    assert spans == [
        ("weight_l1", 1e-5, 0.09, True, 1.0),  # 0.09 is next to 0.1, where the search ended
        ("weight_l2", 3e-5, 2e-3, False, None),
        ("bias_l1", None, None, True, None),
    ]
