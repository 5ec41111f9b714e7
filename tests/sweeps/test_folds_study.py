"""A study with folds: each trial is the mean of its folds, each trained alone, and CSV, MLflow and
Optuna agree.
"""

import shutil
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from mlflow import MlflowClient

import sweeps
from experiments import datasets, experiment_file
from experiments.datasets import Dataset
from experiments.evaluation import DEVIATIONS, METRICS, Setting
from experiments.records import StudyRecord
from nnreg import train
from nnreg.training import Fit
from sweeps.checkup import agreement
from sweeps.checkup.agreement import WRONG
from sweeps.search.study_record import study_record
from sweeps.workspace import workspace
from tests.own import EDITS as OWN_EDITS
from tests.own import NETWORK, trained_alone, write_experiment
from tests.sweeps.test_same_table import search

pytestmark = pytest.mark.usefixtures("tracker_here")
FOLDS, REPEATS, TRIALS, SEEDS = 5, 2, 8, 3
EDITS = (
    f"data.split.folds={FOLDS}",
    f"data.split.repeats={REPEATS}",
    "data.split.test=0.25",  # 112 rows: folds of 22 and of 23
    "model.hidden=[6]",
    "training.epochs=4",
    "training.batch_size=16",
    "sweep.baseline=4",
    "sweep.generation=4",
    f"confirm.seeds={SEEDS}",
    "confirm.top=2",
    "confirm.references=false",
)


@pytest.fixture(scope="module")
def swept(tmp_path_factory: pytest.TempPathFactory, made: Path) -> sweeps.Sweep:
    folder = tmp_path_factory.mktemp("swept")
    shutil.copy(made, folder / "mlflow.db")
    return sweeps.run("iris", trials=TRIALS, edits=EDITS, workers=1, directory=folder)


@pytest.fixture(scope="module")
def data(swept: sweeps.Sweep) -> Dataset:
    experiment = swept.record.experiment
    return datasets.load(experiment.data, experiment.training.dtype)


def alone(study: StudyRecord, data: Dataset, setting: Setting, seed: int, fold: int) -> Fit:
    """The network of one fold, from 0, for all epochs: trained with nothing beside it."""
    config = replace(study.experiment.train_config(setting.learning_rate), seed=seed + fold)
    (fit,) = train(data.divisions[fold].split, config, [setting.lambdas])
    return fit


def test_a_trial_is_the_mean_of_its_folds_each_trained_alone(
    swept: sweeps.Sweep, data: Dataset
) -> None:
    study, rows = swept.record, pd.read_csv(swept.workspace.reports_of("iris") / "trials.csv")
    history = pd.read_csv(swept.workspace.reports_of("iris") / "history.csv")
    assert sorted({len(one.validated) for one in data.divisions}) == [22, 23]
    for trial, row in zip(study.trials, rows.to_dict("records"), strict=True):
        seed = study.experiment.training.seed
        fits = [alone(study, data, trial.setting, seed, fold) for fold in range(FOLDS * REPEATS)]
        curve = np.mean([fit.val_accuracy for fit in fits], axis=0).round(12)
        assert row["best_epoch"] == 1 + curve.argmax()
        np.testing.assert_array_equal(history[history.trial == trial.trial].val_accuracy, curve)
        kept = {
            name: [getattr(fit, name)[row["best_epoch"] - 1] for fit in fits] for name in METRICS
        }
        means = {name: float(np.mean(values)) for name, values in kept.items()}
        accuracies = [name for name in METRICS if name.endswith("accuracy")]
        means |= {name: round(means[name], 12) for name in accuracies}  # for ties
        means["total_loss"] = means["data_loss"] + means["regularization_loss"]
        assert {name: row[name] for name in METRICS} == means
        for deviation in DEVIATIONS:
            assert row[deviation] == np.std(kept[deviation.removesuffix("_sd")], ddof=1)
    assert (rows.val_accuracy_sd > 0).all()


def test_csv_mlflow_and_optuna_agree(swept: sweeps.Sweep) -> None:
    place = swept.workspace
    assert not [one for one in agreement.examine(place, swept.record, {}) if one.level == WRONG]
    rows = pd.read_csv(place.reports_of("iris") / "trials.csv")
    client = MlflowClient(f"sqlite:///{place.directory}/mlflow.db")
    for trial, row in zip(swept.study.trials, rows.to_dict("records"), strict=True):
        assert trial.value == row["val_accuracy"]
        on_mlflow = client.get_run(swept.runs.ids[trial.number]).data.metrics
        for name in (*METRICS, *DEVIATIONS):
            assert on_mlflow[name] == row[name]


def test_the_confirmation_has_a_network_per_role_seed_and_fold(
    swept: sweeps.Sweep, data: Dataset
) -> None:
    study, verdict = swept.record, swept.verdict
    rows = pd.read_csv(swept.workspace.reports_of("iris") / "confirm.csv")
    expected = [
        (role.role, seed, place % REPEATS * FOLDS + fold)
        for role in verdict.settings
        for place, seed in enumerate(verdict.seeds)
        for fold in range(1, FOLDS + 1)
    ]
    assert list(zip(rows.role, rows.seed, rows.fold, strict=True)) == expected
    for one in study.confirmed[verdict.recommended]:
        fit = alone(study, data, one.setting, one.seed, one.fold - 1)
        assert one.metrics.val_accuracy == fit.val_accuracy[one.best_epoch - 1]
        assert one.curves["val_data_loss"] == tuple(fit.val_data_loss)
    settings = pd.read_csv(swept.workspace.reports_of("iris") / "settings.csv")
    recommended = rows[rows.role == "recommended"].groupby("seed", sort=False).val_accuracy.mean()
    (summary,) = settings[settings.role == "recommended"].to_dict("records")
    right = [  # in folds of 22 and of 23 rows
        one.metrics.val_accuracy * len(data.divisions[one.fold - 1].validated)
        for one in study.confirmed[verdict.recommended]
    ]
    assert (summary["n"], summary["mean"]) == (SEEDS, pytest.approx(sum(right) / SEEDS / 112))
    assert summary["mean"] == verdict.confirmed("recommended").mean
    assert summary["sd"] == pytest.approx(recommended.std())


def test_the_model_is_trained_on_all_rows_outside_the_test_set(
    swept: sweeps.Sweep, data: Dataset
) -> None:
    used = swept.verdict.used
    config = swept.record.experiment.train_config(used.setting.learning_rate)
    config = replace(config, epochs=used.best_epoch, seed=swept.verdict.seeds[0])
    (fit,) = train(data.whole, config, [used.setting.lambdas])
    assert swept.model.origin["rows"] == len(data.whole.x_train) == 112
    for layer, kept in zip(fit.parameters, swept.model.parameters, strict=True):
        for one, other in zip(layer, kept, strict=True):
            np.testing.assert_array_equal(one, other)


def test_a_trial_of_an_own_network_is_the_mean_of_its_folds_too(tmp_path: Path) -> None:
    edits = [*OWN_EDITS, "data.split.folds=3", "data.split.repeats=2"]
    definition = experiment_file.load(write_experiment(tmp_path, NETWORK), edits)
    search(tmp_path, definition, trials=4, workers=2)
    data, seed = datasets.load(definition.data, definition.training.dtype), definition.training.seed
    with closing(workspace(tmp_path).open("mine", definition)) as study:
        trials = study_record(study.optuna).trials
    for trial in trials:
        of_folds = [
            [found for _, found in trained_alone(trial.setting, seed + fold, division.split)]
            for fold, division in enumerate(data.divisions)
        ]
        curve = np.mean(of_folds, axis=0).round(12)
        assert trial.curves["val_accuracy"] == tuple(curve)
        assert trial.best_epoch == 1 + curve.argmax()
        assert trial.val_accuracy == curve.max()
        kept = [found[trial.best_epoch - 1] for found in of_folds]
        assert trial.deviations["val_accuracy_sd"] == np.std(kept, ddof=1)
