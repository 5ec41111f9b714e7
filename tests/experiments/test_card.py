"""The decision card: each verdict in words that claim no more than its numbers."""

import dataclasses
import tomllib
from typing import Any

import pytest

from experiments.card import Card, card
from experiments.model import origin
from experiments.records import StudyRecord
from experiments.reports.snippets import snippets
from experiments.verdict import (
    BASELINE,
    BETTER,
    DROP,
    KEEP,
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
    return Comparison(
        against=against,
        gain=Interval(mean=mean, low=low, high=high, level=0.975),
        narrow=Interval(mean=mean, low=low / 2, high=high / 2, level=0.9),
        p=0.01, detectable=0.031, word=word,
    )  # fmt: skip


def study_with(
    word: str, *comparisons: Comparison, recommended: Lambdas = WEIGHT_L2, **changes: Any
) -> StudyRecord:
    """A study whose winner, recommended too, is one setting."""
    trials = (make_trial(0), dataclasses.replace(make_trial(1), lambdas=recommended), make_trial(2))
    confirmed = confirmed_study(dataclasses.replace(make_study(3), trials=trials), look=1)
    assert confirmed.verdict is not None
    verdict = dataclasses.replace(confirmed.verdict, word=word, comparisons=comparisons, **changes)
    return dataclasses.replace(confirmed, verdict=verdict)


def test_commands_reach_the_study_from_where_they_are_read() -> None:
    sealed = confirmed_study()
    grown = dataclasses.replace(sealed, trials=(*sealed.trials, make_trial(3)))
    said = card(grown, " --directory elsewhere")
    assert said is not None
    for command in ("sweeps confirm digits", "sweeps confirm digits --open-test"):
        assert any(
            caution.endswith(f"with: {command} --directory elsewhere") for caution in said.cautions
        )


def made(study: StudyRecord) -> Card:
    found = card(study)
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("comparison", "says"),
    [
        (
            compared(BASELINE, BETTER, 0.023, 0.006, 0.04),
            (
                "Use weight_l2 = 0.00031 and drop the other three. On 360 test rows that is 2.3"
                " points more accurate than no regularization (0.6 to 4.0)."
            ),
        ),
        (
            compared(BASELINE, WORSE, -0.023, -0.04, -0.006),
            (
                "Use no regularization. On 360 test rows the best setting found was 2.3 points less"
                " accurate than no regularization (0.6 to 4.0)."
            ),
        ),
        (
            compared(BASELINE, SAME, 0.001, -0.008, 0.012),
            (
                "Regularization makes no difference that matters here. On 360 test rows the best"
                " setting found was 0.1 points more accurate than no regularization (-0.4 to 0.6 at"
                " 90 %); a difference within 1.0 points counts as none."
            ),
        ),
        (
            compared(BASELINE, UNDECIDED, 0.008, -0.009, 0.025),
            (
                "This data cannot tell whether regularization helps. On 360 test rows the best"
                " setting found was 0.8 points more accurate than no regularization (-0.9 to 2.5);"
                " with this many test rows, only differences above 3.1 points are likely to be"
                " detected (80 % power)."
            ),
        ),
    ],
)
def test_what_it_says(comparison: Comparison, says: str) -> None:
    found = made(study_with(comparison.word, comparison))
    assert found.says == says


@pytest.mark.parametrize("word", [BETTER, WORSE, SAME, UNDECIDED])
def test_card_model_and_snippets_use_the_same(word: str) -> None:
    study = study_with(
        word,
        compared(BASELINE, word, -0.023, -0.04, -0.006),
        compared("weight_l2", BETTER, 0.1, 0.05, 0.2),
    )
    assert study.verdict is not None
    used = origin(study)["lambdas"]
    (file,) = [snippet for snippet in snippets(study) if "experiment file" in snippet.title]
    written = tomllib.loads(file.code)["lambdas"]
    lines = {line.name: line for line in made(study).lambdas}
    assert (
        used
        == {name: written[name] for name in LAMBDA_NAMES}
        == {name: line.strength for name, line in lines.items()}
    )
    assert used == dataclasses.asdict(Lambdas() if word == WORSE else WEIGHT_L2)
    assert {name for name, line in lines.items() if line.word or line.why} == set(
        study.verdict.use.on
    )
    told = (
        "Test accuracy 88.0 % (85.0 % to 91.0 %):"
        if word == WORSE
        else "Test accuracy 90.1 % (88.0 % to 93.0 %); no "
    )
    assert any(fact.startswith(told) for fact in made(study).facts)


@pytest.mark.parametrize(
    ("word", "keeping", "why"),
    [
        (BETTER, KEEP, "without it 2.3 points less accurate (0.6 to 4.0)"),
        (UNDECIDED, UNDECIDED, "without it 2.3 points less accurate (0.6 to 4.0)"),
        (
            SAME,
            DROP,
            "without it no difference that matters: 2.3 points less accurate (0.3 to 2.0 at 90 %)",
        ),
    ],
)
def test_each_lambda_has_its_own_verdict(word: str, keeping: str, why: str) -> None:
    both = Lambdas(weight_l1=1e-3, weight_l2=3.1e-4)
    baseline = compared(BASELINE, BETTER, 0.05, 0.02, 0.08)
    found = made(
        study_with(
            BETTER, baseline, compared("weight_l1", word, 0.023, 0.006, 0.04), recommended=both
        )
    )
    line = found.lambdas[0]
    assert (line.name, line.strength, line.word, line.why) == ("weight_l1", 1e-3, keeping, why)
    assert (found.lambdas[2].word, found.lambdas[2].why) == (None, "")
    assert ("It does as well without weight_l1." in found.says) == (keeping == DROP)


def test_nothing_is_claimed_while_the_test_set_is_sealed() -> None:
    study = confirmed_study()
    found = made(study)
    assert "these rows chose it" in found.says
    assert "no claim" in found.says
    assert (
        f"test set still sealed; open it with: sweeps confirm {study.study} --open-test"
        in found.cautions
    )
    assert not any("Test accuracy" in fact for fact in found.facts)


def test_where_the_baseline_is_recommended_nothing_is_gained() -> None:
    found = made(study_with(SAME, recommended=Lambdas()))
    assert found.says.startswith("Use no regularization: on fresh seeds")
    assert [line.strength for line in found.lambdas] == [0, 0, 0, 0]


def test_a_gain_too_small_to_matter_is_said_to_be() -> None:
    found = made(study_with(BETTER, compared(BASELINE, BETTER, 0.004, 0.002, 0.008)))
    assert "0.4 points more accurate" in found.says
    assert found.cautions == (
        (
            "The gain is there, but smaller than 1.0 points, up to which a difference counts as"
            " none that matters (confirm.margin)."
        ),
    )


def test_rows_that_can_show_nothing_are_said_to() -> None:
    hopeless = dataclasses.replace(compared(BASELINE, UNDECIDED, 0.008, -40, 40), detectable=430.0)
    assert made(study_with(UNDECIDED, hopeless)).says.endswith("; so few rows can show none.")


def test_a_loss_is_not_said_in_points() -> None:
    study = study_with(
        BETTER, compared(BASELINE, BETTER, 0.0231, 0.006, 0.04), objective="val_data_loss"
    )
    assert "0.0231 lower in loss than no regularization (0.0060 to 0.0400)" in made(study).says


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"basis": {"trials": 2}}, "on the first 2 trials, and there are 3 now"),
        (
            {"opening": Opening(digest="", number=3, alpha=0.00625, opened=make_trial(0).started)},
            "look number 3",
        ),
        ({"rarest": 4}, "The rarest class has 4 test rows"),
        ({"majority": 0.8}, "80.0 % of the rows are of one class"),
        ({"diverged": 2}, "2 of the 2 networks with the recommended lambdas diverged"),
        (
            {
                "tolerances": (
                    Tolerance(name="weight_l2", low=1e-3, high=0.09, off=False, bound=1.0),
                )
            },
            "sweeps run digits --study digits-wider --set lambdas.weight_l2.high=1",
        ),
    ],
)
def test_cautions_are_there_when_there_is_something_to_beware_of(
    changes: dict[str, Any], says: str
) -> None:
    comparison = compared(BASELINE, BETTER, 0.023, 0.006, 0.04)
    assert made(study_with(BETTER, comparison)).cautions == ()
    (caution,) = made(study_with(BETTER, comparison, **changes)).cautions
    assert says in caution


def test_before_a_confirmation_there_is_none() -> None:
    assert card(make_study(3)) is None
