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
    OPTIONAL,
    SAME,
    UNDECIDED,
    WORSE,
    Tolerance,
)
from nnreg import LAMBDA_NAMES, Lambdas
from tests.studies import WEIGHT_L2, compared, confirmed_study, make_trial, study_with

ROWS = "on 360 unseen rows"
BOTH_ACCURACIES = "test accuracy 90.1 % with it, 88.0 % without,"


@pytest.mark.parametrize(
    ("word", "numbers", "says"),
    [
        (
            BETTER,
            (0.023, 0.006, 0.04),
            f"Regularization helps: {BOTH_ACCURACIES} +2.3 percentage points (97.5 % CI 0.6 to 4.0)"
            f" {ROWS}.",
        ),
        (
            WORSE,
            (-0.023, -0.04, -0.006),
            f"Regularization hurts here: {BOTH_ACCURACIES} -2.3 percentage points (97.5 % CI -4.0"
            f" to -0.6) {ROWS}.",
        ),
        (
            SAME,
            (0.001, -0.008, 0.012),
            f"Regularization does not matter here: {BOTH_ACCURACIES} +0.1 percentage points (90 %"
            f" CI -0.4 to 0.6) {ROWS}.",
        ),
        (
            UNDECIDED,
            (-0.008, -0.025, 0.009),
            f"Cannot tell whether regularization helps: {BOTH_ACCURACIES} -0.8 percentage"
            f" points (97.5 % CI -2.5 to 0.9) {ROWS}.",
        ),
    ],
)
def test_what_it_says(word: str, numbers: tuple[float, float, float], says: str) -> None:
    found = card(study_with(word, compared(BASELINE, word, *numbers)))
    assert found.says == says
    assert says.startswith(f"{found.title}: ")
    counts = "A difference within 1.0 percentage points counts as none."
    detects = "Only differences above 3.1 percentage points are likely to show (80 % power)."
    assert [counts in found.facts, detects in found.facts] == [word == SAME, word == UNDECIDED]


def test_each_model_stands_with_what_was_tuned_and_what_it_reaches() -> None:
    better = compared(BASELINE, BETTER, 0.023, 0.006, 0.04)
    found = card(study_with(BETTER, better))
    assert found.model_headings[3] == "val_accuracy"
    assert [line.cells for line in found.models] == [
        ("without penalties", "0.003", "3", "90.0 %", "88.0 % (85.0 to 91.0)"),
        ("with penalties", "0.01", "2", "90.0 %", "90.1 % (88.0 to 93.0)"),
    ]


@pytest.mark.parametrize(
    ("training", "unfair"),
    [
        ({}, "untuned baseline, last epoch"),
        ({"keep": "last"}, "untuned baseline"),
        ({"learning_rate": 0.003, "keep": "best"}, "last epoch"),
        ({"learning_rate": 0.003}, None),
    ],
)
def test_it_shows_what_an_unfair_comparison_would_have_said(
    training: dict[str, Any], unfair: str | None
) -> None:
    better = compared(BASELINE, BETTER, 0.023, 0.006, 0.04)
    found = card(study_with(BETTER, better, training=training, unfair_gain=-0.013))
    said = [fact for fact in found.facts if "unfair" in fact]
    assert said == [f"An unfair comparison ({unfair}): -1.3 percentage points."] * bool(unfair)
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


BOTH = Lambdas(weight_l1=1e-3, weight_l2=3.1e-4)


@pytest.mark.parametrize(
    ("word", "setting", "numbers", "why"),
    [
        (BETTER, "keep 0.001", (0.023, 0.006, 0.04), "+2.3 (97.5 % CI 0.6 to 4.0)"),
        (WORSE, "drop", (-0.023, -0.04, -0.006), "-2.3 (97.5 % CI -4.0 to -0.6)"),
        (UNDECIDED, "undecided (0.001)", (0.01, -0.01, 0.03), "+1.0 (97.5 % CI -1.0 to 3.0)"),
        (SAME, "optional (0.001)", (0.001, -0.008, 0.01), "+0.1 (90 % CI -0.4 to 0.5)"),
    ],
)
def test_each_lambda_has_its_own_verdict(
    word: str, setting: str, numbers: tuple[float, float, float], why: str
) -> None:
    baseline = compared(BASELINE, BETTER, 0.05, 0.02, 0.08)
    found = card(
        study_with(BETTER, baseline, compared("weight_l1", word, *numbers), recommended=BOTH)
    )
    assert found.lambda_headings[2] == "with it, percentage points"
    line = found.lambdas[0]
    assert (line.name, line.setting, line.why) == ("weight_l1", setting, why)
    assert (found.lambdas[2].setting, found.lambdas[2].why) == ("off", "")


@pytest.mark.parametrize("word", [BETTER, UNDECIDED])
def test_it_never_says_to_drop_all_where_each_can_go_alone(word: str) -> None:
    all_four = Lambdas(weight_l1=1e-3, weight_l2=3e-4, bias_l1=1e-3, bias_l2=1e-3)
    same = [compared(name, SAME, 0.001, -0.008, 0.01) for name in LAMBDA_NAMES]
    baseline = compared(BASELINE, word, 0.02, 0.01, 0.03)
    found = card(study_with(word, baseline, *same, recommended=all_four))
    assert {line.word for line in found.lambdas} == {OPTIONAL}
    alone = "Each optional lambda can be left out alone, not all of them at once."
    assert found.cautions.count(alone) == 1
    one = Lambdas(weight_l1=1e-3)
    assert alone not in card(study_with(word, baseline, same[0], recommended=one)).cautions
    assert "drop" not in str(found)
    all_the_same = compared(BASELINE, SAME, 0.001, -0.008, 0.01)
    found = card(study_with(SAME, all_the_same, *same, recommended=all_four))
    assert alone not in found.cautions  # for then all of them can be left out


def test_facts_and_ranges() -> None:
    tolerances = (
        Tolerance(name="weight_l1", low=1e-6, high=2.1e-3, off=True),
        Tolerance(name="weight_l2", low=3e-4, high=3e-4, off=False, bound=1.0),
        Tolerance(name="bias_l1", low=None, high=None, off=True),
    )
    found = card(
        study_with(SAME, tolerances=tolerances, recommended=Lambdas(), indistinguishable=(1, 2))
    )
    no_penalty = "no setting with penalties is clearly better on the validation rows"
    assert found.says == f"Use no regularization: {no_penalty}."
    assert "recommend" not in str(found)
    assert [line.strength for line in found.lambdas] == [0, 0, 0, 0]
    assert [line.range for line in found.lambdas] == [
        "off to 0.0021",
        "about 0.0003+",
        "off",
        "not searched",
    ]
    assert found.models[1].cells[3:] == ("90.0 %", "")  # on the test rows there is no claim on it
    assert found.facts[:2] == (
        "Best trial (1): 95.0 % in the search, 90.0 % with new seeds, 90.0 % on test.",
        "2 of the 3 trials are statistically indistinguishable from the best.",
    )


def test_nothing_is_claimed_while_the_test_set_is_sealed() -> None:
    sealed = confirmed_study()
    found = card(dataclasses.replace(sealed, trials=(*sealed.trials, make_trial(3))), " --here")
    gain = "accuracy 0.0 percentage points on the validation rows, which chose it"
    assert found.says.endswith(f"{gain}; the test set is still sealed.")
    assert {line.setting.split()[0] for line in found.lambdas if line.strength} == {"untested"}
    for command in ("sweeps confirm digits", "sweeps confirm digits --open-test"):
        assert any(caution.endswith(f"with: {command} --here") for caution in found.cautions)
    assert not any("test" in fact for fact in found.facts)
    assert [line.test for line in found.models] == ["", ""]


def test_a_loss_is_not_said_in_points_and_few_rows_show_nothing() -> None:
    better = compared(BASELINE, BETTER, 0.0231, 0.006, 0.04)
    found = card(study_with(BETTER, better, objective="val_data_loss"))
    assert f"test loss -0.0231 (97.5 % CI -0.0400 to -0.0060) {ROWS}" in found.says
    assert found.lambda_headings[2] == "with it, loss"
    same = compared(BASELINE, SAME, 0.0031, -0.006, 0.008)
    says = card(study_with(SAME, same, objective="val_data_loss")).says
    assert f"test loss -0.0031 (90 % CI -0.0040 to 0.0030) {ROWS}" in says
    hopeless = dataclasses.replace(compared(BASELINE, UNDECIDED, 0.008, -40, 40), detectable=430.0)
    assert (
        "These test rows are too few to detect any difference."
        in card(study_with(UNDECIDED, hopeless)).facts
    )
