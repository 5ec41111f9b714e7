"""The decision card: each verdict in words that claim no more than its numbers."""

import dataclasses
import tomllib
from typing import Any

import pytest

from experiments import experiment_file
from experiments.card import card
from experiments.cautions import no_verdict
from experiments.evaluation import Setting
from experiments.model import origin
from experiments.records import FAIL, StudyRecord
from experiments.reports.snippets import snippets
from experiments.verdict import (
    BASELINE,
    BETTER,
    DROP,
    KEEP,
    OPTIONAL,
    SAME,
    UNDECIDED,
    WORSE,
    Comparison,
    Interval,
    Opening,
    Tolerance,
)
from nnreg import LAMBDA_NAMES, Lambdas
from tests.studies import confirmed_study, make_study, make_trial

WEIGHT_L2 = Lambdas(weight_l2=3.1e-4)


def compared(against: str, word: str, mean: float, low: float, high: float) -> Comparison:
    gain = Interval(mean=mean, low=low, high=high, level=0.975)
    narrow = Interval(mean=mean, low=low / 2, high=high / 2, level=0.9)
    return Comparison(
        against=against, gain=gain, narrow=narrow, p=0.01, detectable=0.031, word=word
    )


def study_with(
    word: str,
    *comparisons: Comparison,
    recommended: Lambdas = WEIGHT_L2,
    training: dict[str, Any] | None = None,
    **changes: Any,
) -> StudyRecord:
    """A study whose winner, recommended too, is one setting."""
    trials = (
        dataclasses.replace(make_trial(0), setting=Setting(Lambdas(), 0.003)),
        dataclasses.replace(make_trial(1), setting=Setting(recommended, 0.0104)),
        make_trial(2),
    )
    study = dataclasses.replace(make_study(3, training=training or {}), trials=trials)
    confirmed = confirmed_study(study, look=1)
    verdict = dataclasses.replace(confirmed.verdict, word=word, comparisons=comparisons, **changes)
    return dataclasses.replace(confirmed, verdict=verdict)


OURS = "weight_l2 = 0.00031 (learning rate 0.01, stopped at epoch 2)"
OPPONENT = (
    "the best network without penalties, tuned the same way (learning rate 0.003, stopped at epoch"
    " 3)"
)
DIFFERENCE = "The difference in accuracy on 360 test rows is"


@pytest.mark.parametrize(
    ("word", "numbers", "says"),
    [
        (
            BETTER,
            (0.023, 0.006, 0.04),
            f"Use {OURS} and leave the other three off. On 360 test rows that is 2.3 percentage"
            f" points more accurate (97.5 % CI 0.6 to 4.0) than {OPPONENT}.",
        ),
        (
            WORSE,
            (-0.023, -0.04, -0.006),
            f"Use no regularization. On 360 test rows {OURS} is 2.3 percentage points less accurate"
            f" (97.5 % CI 0.6 to 4.0) than {OPPONENT}.",
        ),
        (
            SAME,
            (0.001, -0.008, 0.012),
            f"Regularization makes no difference that matters here. {DIFFERENCE} +0.1 percentage"
            f" points (90 % CI -0.4 to 0.6): {OURS} against {OPPONENT}. A difference within 1.0"
            " percentage points counts as none.",
        ),
        (
            UNDECIDED,
            (-0.008, -0.025, 0.009),
            f"This data cannot tell whether regularization helps. {DIFFERENCE} -0.8 percentage"
            f" points (97.5 % CI -2.5 to 0.9): {OURS} against {OPPONENT}. With this many test rows,"
            " only differences above 3.1 percentage points are likely to be detected (80 % power).",
        ),
    ],
)
def test_what_it_says(word: str, numbers: tuple[float, float, float], says: str) -> None:
    assert card(study_with(word, compared(BASELINE, word, *numbers))).says == says


@pytest.mark.parametrize(
    ("training", "than", "unfair"),
    [
        (
            {},
            OPPONENT,
            "the same learning rate on both sides, no tuning of the baseline and the last epoch in"
            " place of the best",
        ),
        (
            {"keep": "last"},
            "the best network without penalties, tuned the same way (learning rate 0.003)",
            "the same learning rate on both sides and no tuning of the baseline",
        ),
        (
            {"learning_rate": 0.003, "keep": "best"},
            "the same network without penalties (stopped at epoch 3)",
            "the last epoch in place of the best",
        ),
        ({"learning_rate": 0.003}, "the same network without penalties", None),
    ],
)
def test_it_names_the_opponent_and_what_an_unfair_comparison_would_have_said(
    training: dict[str, Any], than: str, unfair: str | None
) -> None:
    better = compared(BASELINE, BETTER, 0.023, 0.006, 0.04)
    found = card(study_with(BETTER, better, training=training, unfair_gain=-0.013))
    assert found.says.endswith(f"(97.5 % CI 0.6 to 4.0) than {than}.")
    said = f"({unfair}) would have said: penalties are 1.3 percentage points less accurate."
    assert found.unfair == (f"An unfair comparison {said}" if unfair else "")
    untuned = [caution for caution in found.cautions if "The baseline was not tuned" in caution]
    assert bool(untuned) == ("learning_rate" in training)
    if unfair is None:
        assert "the learning rate 0.003 and take the last of 30 epochs" in untuned[0]
        edits = "--set training.learning_rate.high=0.1 --set training.keep=best"
        assert untuned[0].endswith(f"sweeps run digits --study digits-tuned {edits}")


@pytest.mark.parametrize("word", [BETTER, WORSE, SAME, UNDECIDED])
def test_card_model_and_snippets_use_the_same(word: str) -> None:
    study = study_with(
        word,
        compared(BASELINE, word, -0.023, -0.04, -0.006),
        compared("weight_l2", BETTER, 0.1, 0.05, 0.2),
    )
    assert study.verdict
    used, kept = study.verdict.use, study.verdict.used.best_epoch
    strengths = dataclasses.asdict(Lambdas() if word == WORSE else WEIGHT_L2)
    assert dataclasses.asdict(used.lambdas) == strengths
    (file,) = [snippet for snippet in snippets(study) if "experiment file" in snippet.title]
    written, lines = tomllib.loads(file.code), card(study).lambdas
    assert strengths == origin(study)["lambdas"] == {line.name: line.strength for line in lines}
    assert strengths == {name: written["lambdas"][name] for name in LAMBDA_NAMES}
    trained = {"learning_rate": used.learning_rate, "epochs": kept, "keep": "last"}
    assert written["training"] == trained
    assert {**trained, **origin(study)} == {**origin(study), "keep": "last"}
    assert [line.name for line in lines if line.word or line.why] == [
        name for name in LAMBDA_NAMES if strengths[name]
    ]
    told = "88.0 % (95 % CI 85.0 to 91.0):"
    if word != WORSE:
        told = "90.1 % (95 % CI 88.0 to 93.0); without penalties 88.0 %:"
    assert card(study).facts[0].startswith(f"Test accuracy {told}")


BOTH = Lambdas(weight_l1=1e-3, weight_l2=3.1e-4)


@pytest.mark.parametrize(
    ("word", "keeping", "numbers", "why"),
    [
        (BETTER, KEEP, (0.023, 0.006, 0.04), "-2.3 percentage points (97.5 % CI -4.0 to -0.6)"),
        (WORSE, DROP, (-0.023, -0.04, -0.006), "+2.3 percentage points (97.5 % CI 0.6 to 4.0)"),
        (
            UNDECIDED,
            UNDECIDED,
            (0.01, -0.01, 0.03),
            "-1.0 percentage points (97.5 % CI -3.0 to 1.0)",
        ),
        (SAME, OPTIONAL, (0.001, -0.008, 0.01), "-0.1 percentage points (90 % CI -0.5 to 0.4)"),
    ],
)
def test_each_lambda_has_its_own_verdict(
    word: str, keeping: str, numbers: tuple[float, float, float], why: str
) -> None:
    baseline = compared(BASELINE, BETTER, 0.05, 0.02, 0.08)
    found = card(
        study_with(BETTER, baseline, compared("weight_l1", word, *numbers), recommended=BOTH)
    )
    line = found.lambdas[0]
    assert (line.name, line.strength, line.word) == ("weight_l1", 1e-3, keeping)
    assert line.why == f"without it accuracy changes by {why}"
    assert (found.lambdas[2].word, found.lambdas[2].why) == (None, "")
    alone = {OPTIONAL: " It does as well without weight_l1.", DROP: " It does better without"}
    assert ("without weight_l1" in found.says) == (keeping in alone)
    assert alone.get(keeping, "") in found.says


@pytest.mark.parametrize("word", [BETTER, UNDECIDED])
def test_it_never_says_to_drop_all_where_each_can_go_alone(word: str) -> None:
    all_four = Lambdas(weight_l1=1e-3, weight_l2=3e-4, bias_l1=1e-3, bias_l2=1e-3)
    same = [compared(name, SAME, 0.001, -0.008, 0.01) for name in LAMBDA_NAMES]
    baseline = compared(BASELINE, word, 0.02, 0.01, 0.03)
    found = card(study_with(word, baseline, *same, recommended=all_four))
    assert {line.word for line in found.lambdas} == {OPTIONAL}
    assert found.says.endswith(
        " It does as well without weight_l1, without weight_l2, without bias_l1 or without bias_l2,"
        " one at a time."
    )
    assert "off" not in found.says
    assert "drop" not in str(found)


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


def test_facts_and_tolerances() -> None:
    tolerances = (
        Tolerance(name="weight_l1", low=1e-6, high=2.1e-3, off=True),
        Tolerance(name="weight_l2", low=3e-4, high=3e-4, off=False, bound=1.0),
        Tolerance(name="bias_l1", low=None, high=None, off=True),
    )
    found = card(study_with(SAME, tolerances=tolerances, recommended=Lambdas(), tied=(1, 2)))
    assert found.says == (
        "Use no regularization (learning rate 0.003, stopped at epoch 3): on fresh seeds none of"
        " the penalised settings that did best in the search is better."
    )
    assert [line.strength for line in found.lambdas] == [0, 0, 0, 0]
    assert [line.tolerance for line in found.lambdas] == [
        "1e-06 to 0.0021, or off",
        "about 0.0003 (end of the search)",
        "off in all trials that did as well",
        "not searched",
    ]
    assert found.facts[1:] == (
        "Best trial of the search: 95.0 %. The same setting with 2 new seeds: 90.0 %. On the test"
        " rows: 90.0 %.",
        "2 of the 3 trials are statistically indistinguishable from the best.",
    )


def test_nothing_is_claimed_while_the_test_set_is_sealed() -> None:
    sealed = confirmed_study()
    found = card(dataclasses.replace(sealed, trials=(*sealed.trials, make_trial(3))), " --here")
    assert "these rows chose it" in found.says
    assert "no claim" in found.says
    for command in ("sweeps confirm digits", "sweeps confirm digits --open-test"):
        assert any(caution.endswith(f"with: {command} --here") for caution in found.cautions)
    assert not any("est accuracy" in fact or "test rows" in fact for fact in found.facts)


def test_a_loss_is_not_said_in_points_and_few_rows_show_nothing() -> None:
    better = compared(BASELINE, BETTER, 0.0231, 0.006, 0.04)
    says = card(study_with(BETTER, better, objective="val_data_loss")).says
    assert f"0.0231 lower in loss (97.5 % CI 0.0060 to 0.0400) than {OPPONENT}" in says
    same = compared(BASELINE, SAME, 0.0031, -0.006, 0.008)
    says = card(study_with(SAME, same, objective="val_data_loss")).says
    assert "difference in loss on 360 test rows is -0.0031 (90 % CI -0.0040 to 0.0030)" in says
    hopeless = dataclasses.replace(compared(BASELINE, UNDECIDED, 0.008, -40, 40), detectable=430.0)
    assert card(study_with(UNDECIDED, hopeless)).says.endswith(" So few rows can show none.")


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
