"""The references where a person looks: on the card, in confirm.csv and on MLflow."""

import dataclasses

import pandas as pd
import pytest

from experiments import verdict
from experiments.card import card
from experiments.records import StudyRecord
from experiments.references import GRADIENT_BOOSTING, LOGISTIC_REGRESSION, MOST_FREQUENT
from experiments.reports import frames
from experiments.tracking import Store
from experiments.tracking.plan import setting_plans
from sweeps.storage import attributes
from tests.experiments.test_tracking_sync import assert_agrees, synced
from tests.mlflow_reading import runs_of
from tests.studies import confirmed_study, reference


@pytest.fixture(scope="module")
def study() -> StudyRecord:
    """The network is right in 90 of 100 cases, and a boosted tree is better."""
    made = confirmed_study(look=1)
    assert made.verdict
    found = dataclasses.replace(
        made.verdict,
        references=(
            reference(MOST_FREQUENT, 0.104, verdict.BETTER),
            reference(GRADIENT_BOOSTING, 0.979, verdict.WORSE),
        ),
        left_out=(verdict.LeftOut(LOGISTIC_REGRESSION, "out of memory"),),
    )
    return dataclasses.replace(made, verdict=found)


def test_a_verdict_is_kept_with_them(study: StudyRecord) -> None:
    assert study.verdict
    kept = {attributes.VERDICT: attributes.verdict_json(study.verdict)}
    assert attributes.verdict(kept) == study.verdict


def test_the_card_shows_each_and_that_one_is_better(study: StudyRecord) -> None:
    made = card(study)
    assert made
    assert [line.cells for line in made.models[2:]] == [
        ("gradient boosting", "", "", "50.0 %", "97.9 % (95.9 to 98.9)"),
        ("most frequent class", "", "", "50.0 %", "10.4 % (8.4 to 11.4)"),
    ]
    assert (
        "Gradient boosting is better here, with scikit-learn's defaults: +7.9 percentage points"
        " (99.75 % CI 5.9 to 9.9) on the same test rows."
    ) in made.cautions
    assert not any("frequent" in caution for caution in made.cautions)
    missing = "No comparison with logistic regression, which could not be fitted: out of memory"
    assert missing in made.cautions


def test_confirm_csv_has_a_row_of_each_without_a_setting(study: StudyRecord) -> None:
    table = frames.confirm(study)
    (row,) = table[table.role == "reference:gradient_boosting"].to_dict("records")
    numbers = row["val_accuracy"], row["val_data_loss"], row["test_accuracy"], row["test_data_loss"]
    assert numbers == (0.5, 0.75, 0.979, 1.5)
    assert (row["study"], row["seed"], row["diverged"]) == ("digits", 0, False)
    absent = ["trial", "weight_l1", "learning_rate", "best_epoch"]
    assert all(pd.isna(row[name]) for name in absent)
    assert not table[~table.role.str.startswith("reference:")].learning_rate.isna().any()


def test_mlflow_has_a_run_of_each_as_long_as_the_verdict_has_it(
    study: StudyRecord, store: Store
) -> None:
    assert synced(store, study).settings == len(setting_plans(study))
    assert_agrees(store, study)
    run = runs_of(store, study.study_uid, "confirm")["reference:gradient_boosting"]
    assert run.info.run_name == "confirm-reference:gradient_boosting"
    assert run.data.metrics == {
        "val_accuracy": 0.5,
        "balanced_val_accuracy": 0.25,
        "val_data_loss": 0.75,
        "test_accuracy": 0.979,
        "test_accuracy_low": 0.959,
        "test_accuracy_high": 0.989,
        "balanced_test_accuracy": 0.125,
        "test_data_loss": 1.5,
        "seconds": 1.5,
    }
    assert study.verdict
    without = dataclasses.replace(study.verdict, references=study.verdict.references[:1])
    fewer = dataclasses.replace(study, verdict=without)
    assert synced(store, fewer).deleted == 1
    assert_agrees(store, fewer)
