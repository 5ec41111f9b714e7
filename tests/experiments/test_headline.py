"""The first screen of the page: its three numbers in every state of a study, and its facts."""

import dataclasses
from datetime import timedelta
from typing import Any

import numpy as np
import pytest

from experiments.records import StudyRecord
from experiments.reports import headline
from experiments.reports.page import render
from experiments.reports.shown import Shown
from experiments.verdict import BETTER, SAME, SEALED, UNDECIDED, WORSE
from nnreg import Lambdas
from tests.studies import BORN, compared, confirmed_study, make_study, study_with

UNCHOSEN = "not tested: no penalty was chosen on the validation rows"


def numbers(study: StudyRecord) -> list[tuple[str, str, str]]:
    return [(one.label, one.value, one.unit) for one in headline.numbers(study)]


def number(one: headline.Number) -> float:
    return float(one.value.replace("\N{MINUS SIGN}", "-"))


def test_means_on_the_test_rows_and_the_difference_with_the_interval_of_the_card() -> None:
    study = study_with(BETTER, compared("baseline", BETTER, 0.118, 0.09, 0.145))
    sides = [study.verdict.baseline, study.verdict.recommended]
    means = [np.mean([network.test.accuracy for network in study.confirmed[one]]) for one in sides]
    assert numbers(study) == [
        ("test accuracy without penalties", f"{100 * means[0]:.1f}", "%"),
        ("test accuracy with penalties", f"{100 * means[1]:.1f}", "%"),
        ("difference", "+11.8", "percentage points"),
    ]
    without, penalised, difference = headline.numbers(study)
    seeds = "mean of 2 networks with new seeds"
    assert without.notes == ("all four lambdas off", "learning rate 0.003, kept epoch 3", seeds)
    assert penalised.notes == ("weight_l2 0.00031", "learning rate 0.01, kept epoch 2", seeds)
    assert difference.notes == ("97.5 % CI 9.0 to 14.5", "on 360 unseen test rows")


def test_a_loss_has_no_unit_and_falls_where_penalties_help() -> None:
    study = make_study(3, sweep={"objective": "val_data_loss"})
    study = confirmed_study(study, look=1)
    word = compared("baseline", BETTER, 0.5, 0.25, 0.75)
    verdict = dataclasses.replace(study.verdict, comparisons=(word,))
    made = headline.numbers(dataclasses.replace(study, verdict=verdict))
    assert [one.label for one in made][1] == "test data loss with penalties"
    assert (made[2].value, made[2].unit) == ("\N{MINUS SIGN}0.5000", "")
    assert made[2].notes[0] == "97.5 % CI -0.7500 to -0.2500"
    searched = dataclasses.replace(study, verdict=None)
    without, penalised, difference = (number(one) for one in headline.numbers(searched))
    assert difference == pytest.approx(penalised - without, abs=2e-4)


def test_before_the_test_rows_are_open_the_validation_rows_and_no_interval() -> None:
    searched = make_study(12, epochs=3)
    arms = [searched.baseline, next(one for one in searched.ranked if one.setting.on)]
    values = [100 * searched.value(one) for one in arms]
    without, penalised, difference = headline.numbers(searched)
    assert [without.value, penalised.value] == [f"{value:.1f}" for value in values]
    assert (without.notes[-1], penalised.notes[-1]) == ("one trial", "best of 11 trials")
    assert number(difference) == pytest.approx(values[1] - values[0], abs=0.051)
    assert difference.notes == (
        "on the validation rows, which chose both settings",
        "no verdict yet",
    )
    sealed = confirmed_study()
    assert numbers(sealed)[0] == ("validation accuracy without penalties", "90.0", "%")
    note = "on 359 validation rows, which chose both settings"
    assert headline.numbers(sealed)[2].notes == (note, "the test set is still sealed")
    rows = {"training": 1078, "validation": 359, "test": 0}
    verdict = dataclasses.replace(sealed.verdict, rows=rows)
    without_test = dataclasses.replace(sealed, verdict=verdict)
    assert headline.numbers(without_test)[2].notes == (note, "there are no test rows")


def test_one_arm_alone_or_nothing_yet() -> None:
    assert headline.numbers(make_study(0)) == ()
    assert [value for _, value, _ in numbers(make_study(1))][1:] == ["\N{EN DASH}"] * 2


@pytest.mark.parametrize(
    ("word", "choice"),
    [(BETTER, "recommended"), (WORSE, ""), (SAME, ""), (UNDECIDED, ""), (SEALED, "suggested")],
)
def test_where_nothing_is_recommended_there_is_no_star_and_no_code(word: str, choice: str) -> None:
    against = () if word == SEALED else (compared("baseline", word, 0.01, -0.01, 0.03),)
    opened: dict[str, Any] = {"opening": None} if word == SEALED else {}
    study = study_with(word, *against, **opened)
    text = render(study)
    assert Shown(study).choice == choice
    assert ('href="#star"' in text) == ('<details class="snippet">' in text) == bool(choice)
    said = text.partition("<script>")[0].partition("</style>")[2]
    assert ("recommended" in said) == bool(choice)


def test_where_the_baseline_is_recommended_the_best_penalised_setting_stands_beside_it() -> None:
    study = study_with(SAME, recommended=Lambdas(weight_l2=0.01))
    baseline = study.verdict.confirmed("baseline")
    settings = tuple(
        dataclasses.replace(baseline, role=one.role) if one.role == "recommended" else one
        for one in study.verdict.settings
    )
    study = dataclasses.replace(
        study, verdict=dataclasses.replace(study.verdict, settings=settings)
    )
    _, penalised, difference = headline.numbers(study)
    assert penalised.notes[0] == "weight_l2 0.01"
    assert difference.notes == ("on 360 unseen test rows", UNCHOSEN)
    assert Shown(study).choice == ""
    text = render(study)
    assert 'href="#star"' not in text
    assert '<details class="snippet">' not in text


def test_the_facts_are_in_one_line_and_each_second_of_training_counts_once() -> None:
    study = make_study(3, training={"epochs": 30, "keep": "best"}, model={"hidden": [16, 8]})
    day = timedelta(days=1)
    late = study.trials[2]
    late = dataclasses.replace(late, started=late.started + day, finished=late.finished + day)
    data = {"rows": {"training": 90, "validation": 30, "test": 0}, "features": 4, "classes": 3}
    first = study.trials[0]
    beside = dataclasses.replace(study.trials[1], started=first.started, finished=first.finished)
    study = dataclasses.replace(study, trials=(first, beside, late), data=data)
    end = BORN + day
    assert headline.facts(study) == (
        "90 training, 30 validation rows",
        "4 features",
        "3 classes",
        "network 4-16-8-3",
        "30 epochs at most",
        "1 s of training",  # 0.7 s twice, a day apart
        f"{end.day} {end:%b %Y}",
    )
    assert headline.facts(make_study(0))[-1] == "100 epochs at most"
