"""The main way in one process: `sweeps.run`, then study, MLflow and CSV agree."""

from pathlib import Path

import mlflow
import optuna
import pandas as pd
import pytest
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend

import sweeps


@pytest.mark.usefixtures("tracker_here")
def test_a_sweep_from_python(tmp_path: Path) -> None:
    edits = ["sweep.baseline=4", "training.epochs=5"]
    found = sweeps.run("iris", trials=8, edits=edits, workers=1, directory=tmp_path)
    table = pd.read_csv(tmp_path / "reports" / "iris" / "trials.csv")
    storage = JournalStorage(JournalFileBackend(str(tmp_path / "studies" / "iris.journal")))
    study = optuna.load_study(study_name="iris", storage=storage)
    client = mlflow.MlflowClient(f"sqlite:///{tmp_path}/mlflow.db")
    experiment = client.get_experiment_by_name("iris")
    runs = client.search_runs([experiment.experiment_id], "tags.kind = 'trial'")
    values = {int(run.data.tags["trial"]): run.data.metrics["val_accuracy"] for run in runs}
    assert list(table.trial) == list(range(8))
    assert list(table.val_accuracy) == [trial.value for trial in study.trials]
    assert list(table.val_accuracy) == [values[trial] for trial in table.trial]
    assert found.best.metrics.val_accuracy == table.val_accuracy.max()
    assert found.verdict is not None
