"""The tolerance: who is tied with the winner, and the span of each lambda."""

import dataclasses
import math

import numpy as np
import pytest

from experiments.records import StudyRecord
from nnreg import Lambdas
from sweeps.confirmation import choice
from sweeps.confirmation.choice import Choice
from sweeps.confirmation.crossed import Weighting
from tests.studies import make_study


@pytest.fixture
def study() -> StudyRecord:
    """Five trials with validation accuracies of 0.5, 0.6, ... 0.9, and losses of 0.5, 0.4, ... 0.1."""
    made = make_study(5)
    trials = []
    for trial in made.trials:
        assert trial.metrics is not None
        step = trial.trial / 10
        metrics = dataclasses.replace(
            trial.metrics, val_accuracy=0.5 + step, val_data_loss=0.5 - step
        )
        trials.append(dataclasses.replace(trial, metrics=metrics))
    return dataclasses.replace(made, trials=tuple(trials))


def test_the_width_is_two_standard_deviations_pooled() -> None:
    """Of differences over two seeds: 0 and 0.06 (deviation 0.03 * sqrt 2), 0 and 0.08."""
    chooser = Choice(Weighting(), by_hits=True)
    winner, one, other = (np.array([[0.5], [0.5 - step]]) for step in (0, 0.06, 0.08))
    assert chooser.width(winner, []) == 0
    assert chooser.width(winner, [one]) == pytest.approx(2 * math.sqrt(0.0018))
    assert chooser.width(winner, [one, other]) == pytest.approx(2 * math.sqrt(0.0025))


@pytest.mark.parametrize("objective", ["val_accuracy", "val_data_loss"])
def test_tied_is_who_is_no_further_below(study: StudyRecord, objective: str) -> None:
    study = dataclasses.replace(
        study,
        experiment=study.experiment.model_copy(
            update={"sweep": study.experiment.sweep.model_copy(update={"objective": objective})}
        ),
    )
    best = study.ranked[0]
    mean = study.value(best)
    assert [trial.trial for trial in choice.tied(study, mean, 0.0)] == [4]
    assert [trial.trial for trial in choice.tied(study, mean, 0.15)] == [3, 4]
    assert [trial.trial for trial in choice.tied(study, mean, 1.0)] == [0, 1, 2, 3, 4]


def test_the_span_of_each_lambda(study: StudyRecord) -> None:
    spans = {
        span.name: span
        for span in choice.tolerances(
            study,
            [
                Lambdas(weight_l1=1e-5, weight_l2=3e-5, bias_l1=1e-3),
                Lambdas(weight_l1=2e-4, weight_l2=2e-3, bias_l1=0.09),
                Lambdas(weight_l2=1e-4, bias_l1=2e-3),
            ],
        )
    }
    assert (spans["weight_l1"].low, spans["weight_l1"].high, spans["weight_l1"].off) == (
        1e-5,
        2e-4,
        True,
    )
    assert (spans["weight_l2"].low, spans["weight_l2"].high, spans["weight_l2"].off) == (
        3e-5,
        2e-3,
        False,
    )
    assert (spans["bias_l2"].low, spans["bias_l2"].high, spans["bias_l2"].off) == (None, None, True)
    assert {name: span.bound for name, span in spans.items()} == {
        # 0.09 is next to 0.1, where the search ended
        "weight_l1": None, "weight_l2": None, "bias_l2": None, "bias_l1": 1.0,
    }  # fmt: skip


def test_what_is_fixed_has_no_span() -> None:
    fixed = make_study(2, lambdas={"weight_l1": 0.0, "bias_l1": 1e-3})
    assert [span.name for span in choice.tolerances(fixed, [Lambdas()])] == [
        "weight_l2",
        "bias_l2",
    ]
