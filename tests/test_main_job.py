"""The main job from the outside: one command, then the study, MLflow and the CSV by their own public tools."""

import subprocess
import sys
from pathlib import Path

import mlflow
import optuna
import pandas as pd
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend


def test_three_trials_reach_the_study_mlflow_and_the_csv(tmp_path: Path) -> None:
    command = [str(Path(sys.executable).with_name("sweeps")), "run", "digits", "--trials", "3", "--set", "sweep.sampler=random"]
    subprocess.run(command, cwd=tmp_path, check=True, capture_output=True, text=True)

    storage = JournalStorage(JournalFileBackend(str(tmp_path / "studies" / "digits.journal")))
    trials = optuna.load_study(study_name="digits", storage=storage).trials
    table = pd.read_csv(tmp_path / "reports" / "digits" / "trials.csv")
    mlflow.set_tracking_uri(f"sqlite:///{tmp_path}/mlflow.db")
    runs = mlflow.search_runs(experiment_names=["digits"], filter_string="tags.kind = 'trial'")

    assert len(trials) == len(table) == len(runs) == 3
    runs = runs.set_index(runs["tags.trial"].astype(int)).sort_index()
    assert list(table.val_accuracy) == [trial.value for trial in trials] == list(runs["metrics.val_accuracy"])
    assert list(table.mlflow_run_id) == list(runs.run_id)
