"""The cautions: what to beware of in a verdict, and commands that do something about it."""

import dataclasses
from typing import Any

import pytest

from experiments import experiment_file
from experiments.card import card
from experiments.cautions import no_verdict
from experiments.records import FAIL
from experiments.verdict import BASELINE, BETTER, Opening, Tolerance
from nnreg import LAMBDA_NAMES, Lambdas
from tests.studies import (
    compared,
    confirmed_study,
    make_study,
    make_trial,
    own_study,
    study_with,
)


@pytest.mark.parametrize(
    ("keys", "why", "edits"),
    [
        (
            ("training.epochs",),
            "most are best at the last epoch (training.epochs = 100)",
            "--set training.epochs=200",
        ),
        (
            ("training.epochs", "training.learning_rate.high"),
            "most are best at the last epoch (training.epochs = 100) and the learning rate lies at"
            " an end of its range (training.learning_rate.high = 0.1)",
            "--set training.epochs=200 --set training.learning_rate.high=0.3",
        ),
        (
            ("training.learning_rate.low",),
            "the learning rate lies at an end of its range (training.learning_rate.low = 0.0003)",
            "--set training.learning_rate.low=0.0001",
        ),
    ],
)
def test_an_undertrained_network_is_a_reservation(
    keys: tuple[str, ...], why: str, edits: str
) -> None:
    better = compared(BASELINE, BETTER, 0.023, 0.006, 0.04)
    found = card(study_with(BETTER, better, undertrained=keys), " --here")
    reservation = "One reservation: the networks are not trained to the end (see below)."
    assert found.says.endswith(f" {reservation}")
    assert found.cautions == (
        f"The networks are not trained to the end: {why}; train them further with: sweeps run"
        f" digits --study digits-further {edits} --here",
    )
    experiment_file.load("digits", edits.replace("--set ", "").split())
    assert reservation not in card(study_with(BETTER, better)).says


def test_a_command_to_go_on_with_keeps_the_edits_that_the_study_began_with() -> None:
    given = (
        "sweeps run -v --set training.epochs=3 digits --keep-sealed '--set=training.keep=\"best\"'"
    )
    command = "sweeps run digits --set training.epochs=3 --set 'training.keep=\"best\"'"
    study = study_with(BETTER, undertrained=("training.epochs",))
    begun = dataclasses.replace(study, provenance={"command": given})
    (caution,) = card(begun).cautions
    assert caution.endswith(f": {command} --study digits-further --set training.epochs=200")
    alone = dataclasses.replace(begun, trials=begun.trials[:1], verdict=None)
    assert no_verdict(alone, " --here").endswith(f": {command} --study digits --trials 100 --here")


@pytest.mark.parametrize(
    ("trials", "says"),
    [
        (
            [0],
            "There is no verdict yet: the first 16 trials have no penalty, and 1 of 16 are there.",
        ),
        ([1, 2], "There is no verdict: no trial without penalties is complete, so there"),
        ([0, 1], ""),
        ([], ""),
    ],
)
def test_where_there_is_no_verdict_it_says_what_to_do(trials: list[int], says: str) -> None:
    study = dataclasses.replace(make_study(0), trials=tuple(map(make_trial, trials)))
    assert no_verdict(study).startswith(says)
    assert bool(no_verdict(study)) == bool(says)
    if trials == [0]:
        assert no_verdict(study, " --here").endswith("--study digits --trials 100 --here")


@pytest.mark.parametrize(
    ("axes", "says"),
    [
        ({}, "There is no verdict: no trial with a penalty is complete."),
        (dict.fromkeys(LAMBDA_NAMES, 0), "There is no verdict: all lambdas are fixed to 0."),
    ],
)
def test_where_no_penalty_was_ever_trained_it_says_why(axes: dict[str, int], says: str) -> None:
    failed = make_trial(16, state=FAIL, metrics=None, curves={}, error="killed")
    trials = (*(make_trial(n, lambdas=Lambdas()) for n in range(16)), failed)
    study = dataclasses.replace(make_study(0, lambdas=axes), trials=trials)
    assert no_verdict(study).startswith(says)


def test_where_all_networks_diverged_it_does_not_say_to_train_more_of_them() -> None:
    trials = tuple(make_trial(n, lambdas=Lambdas(), diverged=True) for n in range(16))
    says = no_verdict(dataclasses.replace(make_study(0), trials=trials), " --here")
    assert says.startswith("There is no verdict: all networks diverged or failed. Correct that")
    assert says.endswith(": sweeps run digits --study digits-again --here")


def test_it_says_what_was_not_tuned_the_learning_rate_alone_or_all_of_the_baseline() -> None:
    fixed = {"training": {"learning_rate": 0.1}}
    for study, what in (
        (own_study(**fixed), "learning rate"),
        (make_study(3, **fixed), "baseline"),
    ):
        said = card(confirmed_study(study, look=1)).cautions
        assert [one for one in said if one.startswith(f"The {what} was not tuned: both sides use")]


LOOK = Opening(number=3, alpha=0.00625, opened=make_trial(0).started)
EDGE = Tolerance(name="weight_l2", low=1e-3, high=0.09, off=False, bound=1.0)


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"basis": {"trials": 2}}, "on the first 2 trials, and there are 3 now"),
        ({"opening": LOOK}, "look number 3"),
        ({"rarest": 4}, "The rarest class has 4 test rows"),
        ({"majority": 0.8}, "80.0 % of the rows are of one class"),
        ({"diverged": 2}, "2 of the 2 networks with the recommended lambdas diverged"),
        ({"tolerances": (EDGE,)}, "run digits --study digits-wider --set lambdas.weight_l2.high=1"),
        ({"margin": 0.05}, "The gain is there, but smaller than 5.0 percentage points"),
    ],
)
def test_cautions_are_there_when_there_is_something_to_beware_of(
    changes: dict[str, Any], says: str
) -> None:
    comparison = compared(BASELINE, BETTER, 0.023, 0.006, 0.04)
    assert card(study_with(BETTER, comparison)).cautions == ()
    (caution,) = card(study_with(BETTER, comparison, **changes)).cautions
    assert says in caution
