"""The validation in words: what the card, the page and the tables say of a cross-validation."""

import dataclasses
import re
from typing import Any

import pandas as pd
import pytest

from experiments.card import card
from experiments.evaluation import averaged
from experiments.records import StudyRecord
from experiments.reports import comparison, frames, headline
from experiments.reports.comparison import Compared
from experiments.reports.page import render
from experiments.tracking.plan import plans
from experiments.verdict import BASELINE, BETTER
from tests.studies import FOLDED, compared, confirmed_study, make_study, make_trial

TWICE = "in 2 x 5-fold cross-validation"


def folded(trials: int = 3, repeats: int = 2, **sections: Any) -> StudyRecord:
    split = {"folds": 5, "repeats": repeats}
    study = make_study(trials, data={"source": "digits", "split": split}, **sections)
    return dataclasses.replace(study, data={"digest": "d", "features": 64, "rows": FOLDED})


def text(study: StudyRecord) -> str:
    """The page as a person reads it, but for how to read the verdict."""
    shown = re.sub(r"(?s)<(style|script|svg|pre)\b.*?</\1>", " ", render(study))
    shown = shown.partition('id="reading"')[0]
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", shown))


@pytest.mark.parametrize("look", [None, 0, 1])
def test_nothing_is_said_of_validation_rows_where_folds_validate(look: int | None) -> None:
    study = folded(12) if look is None else confirmed_study(folded(), look=look)
    for said in (text(study), str(card(study))):
        assert "validation rows" not in said
        assert not re.search(r"\b0 validation", said)
    assert "1,437 rows in 2 x 5 folds, 360 test rows" in text(study)


def test_the_search_says_that_trials_are_means_and_what_chose() -> None:
    study = folded(12)
    _, penalised, difference = headline.numbers(study)
    assert penalised.notes[-1] == "best of 11 trials, mean of 2 x 5 folds"
    assert difference.notes == (f"{TWICE}, which chose both settings", "no verdict yet")
    said = text(study)
    assert f"is the luckiest of 12 {TWICE}, which chose it" in said
    assert "Lines are means over the 2 x 5 folds of a trial" in said
    assert "Each number is the mean over 2 x 5 folds, and val_accuracy_sd is" in said
    assert "3.12 points" in said  # val_accuracy_sd of each trial
    assert "mean of 5 folds" in headline.numbers(folded(2, repeats=1))[0].notes[-1]
    assert headline.facts(folded(repeats=1))[0] == "1,437 rows in 5 folds, 360 test rows"


def test_a_verdict_says_over_how_many_networks_and_how_much_folds_differ() -> None:
    study = confirmed_study(folded(), look=0)
    assert f"accuracy 0.0 percentage points {TWICE}, which chose it" in card(study).says
    study = confirmed_study(folded(), look=1)
    networks = "10 networks (2 new seeds, 5 folds)"
    assert headline.numbers(study)[0].notes[-1] == f"mean of {networks}"
    assert f"Lines are means over {networks}" in text(study)
    deviation = "Its 10 folds in the search have a standard deviation of 3.1 percentage points."
    assert card(study).facts[1] == deviation
    by_loss = confirmed_study(folded(sweep={"objective": "val_data_loss"}), look=1)
    assert card(by_loss).facts[1] == deviation.replace("3.1 percentage points", "0.0312")
    assert not [fact for fact in card(confirmed_study(look=1)).facts if "folds" in fact]


def test_diverged_networks_are_of_all_folds() -> None:
    study = confirmed_study(folded(), look=1)
    better = compared(BASELINE, BETTER, 0.023, 0.006, 0.04)
    verdict = dataclasses.replace(study.verdict, diverged=3, comparisons=(better,))
    said = card(dataclasses.replace(study, verdict=verdict)).cautions
    assert any(one.startswith("3 of the 10 networks with the recommended") for one in said)


def test_tables_and_mlflow_have_folds() -> None:
    study = confirmed_study(folded(), look=1)
    rows = frames.confirm(study)
    found = rows.groupby(["role", "seed"], sort=False).fold.agg(list).tolist()
    assert found[:2] == [[1, 2, 3, 4, 5], [6, 7, 8, 9, 10]]
    assert list(frames.trials(study))[-3:] == [
        "val_data_loss_sd",
        "val_accuracy_sd",
        "balanced_val_accuracy_sd",
    ]
    assert (frames.trials(study).val_accuracy_sd == 0.03125).all()
    (row,) = comparison.frame([Compared(study, "here", "t")]).to_dict("records")
    assert (row["training_rows"], row["test_rows"]) == (1437, 360)
    assert pd.isna(row["validation_rows"])
    (words,) = comparison.in_words([Compared(study, "here", "t")])
    assert words[4] == "digits, 2 x 5 folds, 360 test rows"
    of_study, trial = plans(study)[:2]
    assert of_study.params["data.split.folds"] == "5"
    assert of_study.params["data.split.repeats"] == "2"
    (training, test) = of_study.datasets
    assert (training.part, training.profile["num_rows"]) == ("training", 1437)
    assert test.part == "test"
    assert trial.single["val_accuracy_sd"] == 0.03125


def test_trials_that_find_as_many_rows_are_tied_whichever_folds_these_are_in() -> None:
    found = [0.1, 0.2, 0.3]
    assert sum(found) != sum(found[::-1])
    trials = [
        averaged(
            [
                dataclasses.replace(
                    one := make_trial(fold),
                    metrics=dataclasses.replace(one.metrics, val_accuracy=value),
                )
                for fold, value in enumerate(values)
            ]
        )
        for values in (found, found[::-1])
    ]
    assert [trial.val_accuracy for trial in trials] == [0.2, 0.2]
