"""The decision card: each verdict in words that claim no more than its numbers."""

import dataclasses
import tomllib
from typing import Any

import pytest

from experiments.card import card
from experiments.model import origin
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
    Tolerance,
)
from nnreg import LAMBDA_NAMES, Lambdas
from tests.studies import WEIGHT_L2, compared, confirmed_study, make_trial, study_with

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
    assert trained.items() <= {**origin(study), "keep": "last"}.items()
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
