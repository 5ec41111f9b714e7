"""The decision card: each verdict in words that claim no more than its numbers."""

import dataclasses
import tomllib
from typing import Any

import pytest

from experiments.card import card
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
    gain = Interval(mean=mean, low=low, high=high, level=0.975)
    narrow = Interval(mean=mean, low=low / 2, high=high / 2, level=0.9)
    return Comparison(
        against=against, gain=gain, narrow=narrow, p=0.01, detectable=0.031, word=word
    )


def study_with(
    word: str, *comparisons: Comparison, recommended: Lambdas = WEIGHT_L2, **changes: Any
) -> StudyRecord:
    """A study whose winner, recommended too, is one setting."""
    trials = (make_trial(0), dataclasses.replace(make_trial(1), lambdas=recommended), make_trial(2))
    confirmed = confirmed_study(dataclasses.replace(make_study(3), trials=trials), look=1)
    verdict = dataclasses.replace(confirmed.verdict, word=word, comparisons=comparisons, **changes)
    return dataclasses.replace(confirmed, verdict=verdict)


FOUND = "On 360 test rows the best setting found was"


@pytest.mark.parametrize(
    ("word", "numbers", "says"),
    [
        (
            BETTER,
            (0.023, 0.006, 0.04),
            "Use weight_l2 = 0.00031 and drop the other three. On 360 test rows that is 2.3 points"
            " more accurate than no regularization (0.6 to 4.0).",
        ),
        (
            WORSE,
            (-0.023, -0.04, -0.006),
            f"Use no regularization. {FOUND} 2.3 points less accurate than no regularization (0.6"
            " to 4.0).",
        ),
        (
            SAME,
            (0.001, -0.008, 0.012),
            f"Regularization makes no difference that matters here. {FOUND} 0.1 points more"
            " accurate than no regularization (-0.4 to 0.6 at 90 %); a difference within 1.0 points"
            " counts as none.",
        ),
        (
            UNDECIDED,
            (0.008, -0.009, 0.025),
            f"This data cannot tell whether regularization helps. {FOUND} 0.8 points more accurate"
            " than no regularization (-0.9 to 2.5); with this many test rows, only differences"
            " above 3.1 points are likely to be detected (80 % power).",
        ),
    ],
)
def test_what_it_says(word: str, numbers: tuple[float, float, float], says: str) -> None:
    assert card(study_with(word, compared(BASELINE, word, *numbers))).says == says


@pytest.mark.parametrize("word", [BETTER, WORSE, SAME, UNDECIDED])
def test_card_model_and_snippets_use_the_same(word: str) -> None:
    study = study_with(
        word,
        compared(BASELINE, word, -0.023, -0.04, -0.006),
        compared("weight_l2", BETTER, 0.1, 0.05, 0.2),
    )
    used = dataclasses.asdict(Lambdas() if word == WORSE else WEIGHT_L2)
    (file,) = [snippet for snippet in snippets(study) if "experiment file" in snippet.title]
    written, lines = tomllib.loads(file.code)["lambdas"], card(study).lambdas
    assert used == origin(study)["lambdas"] == {line.name: line.strength for line in lines}
    assert used == {name: written[name] for name in LAMBDA_NAMES}
    assert [line.name for line in lines if line.word or line.why] == [
        name for name in LAMBDA_NAMES if used[name]
    ]
    told = "88.0 % (85.0 % to 91.0 %):" if word == WORSE else "90.1 % (88.0 % to 93.0 %); no reg"
    assert card(study).facts[0].startswith(f"Test accuracy {told}")


@pytest.mark.parametrize(
    ("word", "keeping", "why"),
    [
        (BETTER, KEEP, "2.3 points less accurate (0.6 to 4.0)"),
        (UNDECIDED, UNDECIDED, "2.3 points less accurate (0.6 to 4.0)"),
        (SAME, DROP, "no difference that matters: 2.3 points less accurate (0.3 to 2.0 at 90 %)"),
    ],
)
def test_each_lambda_has_its_own_verdict(word: str, keeping: str, why: str) -> None:
    both = Lambdas(weight_l1=1e-3, weight_l2=3.1e-4)
    baseline = compared(BASELINE, BETTER, 0.05, 0.02, 0.08)
    weight_l1 = compared("weight_l1", word, 0.023, 0.006, 0.04)
    found = card(study_with(BETTER, baseline, weight_l1, recommended=both))
    line = found.lambdas[0]
    assert (line.name, line.strength, line.word) == ("weight_l1", 1e-3, keeping)
    assert line.why == f"without it {why}"
    assert (found.lambdas[2].word, found.lambdas[2].why) == (None, "")
    assert ("It does as well without weight_l1." in found.says) == (keeping == DROP)


def test_facts_and_tolerances() -> None:
    tolerances = (
        Tolerance(name="weight_l1", low=1e-6, high=2.1e-3, off=True),
        Tolerance(name="weight_l2", low=3e-4, high=3e-4, off=False, bound=1.0),
        Tolerance(name="bias_l1", low=None, high=None, off=True),
    )
    found = card(study_with(SAME, tolerances=tolerances, recommended=Lambdas(), tied=(1, 2)))
    assert found.says.startswith("Use no regularization: on fresh seeds")
    assert [line.strength for line in found.lambdas] == [0, 0, 0, 0]
    assert [line.tolerance for line in found.lambdas] == [
        "1e-06 to 0.0021, or off",
        "about 0.0003 (where the search ended)",
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
    assert "0.0231 lower in loss than no regularization (0.0060 to 0.0400)" in says
    hopeless = dataclasses.replace(compared(BASELINE, UNDECIDED, 0.008, -40, 40), detectable=430.0)
    assert card(study_with(UNDECIDED, hopeless)).says.endswith("; so few rows can show none.")


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
        ({"margin": 0.05}, "The gain is there, but smaller than 5.0 points"),
    ],
)
def test_cautions_are_there_when_there_is_something_to_beware_of(
    changes: dict[str, Any], says: str
) -> None:
    comparison = compared(BASELINE, BETTER, 0.023, 0.006, 0.04)
    assert card(study_with(BETTER, comparison)).cautions == ()
    (caution,) = card(study_with(BETTER, comparison, **changes)).cautions
    assert says in caution
