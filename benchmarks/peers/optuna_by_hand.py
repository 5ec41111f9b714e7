"""A sweep as one writes it by hand: Optuna's optimize, PyTorch, and MLflow with every epoch's
metrics on SQLite.
"""

import time
from pathlib import Path
from typing import Any

import mlflow
import optuna
import torch
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend

from benchmarks.cases import Case, load
from benchmarks.peers.torch_eager import train
from nnreg import LAMBDA_NAMES

NAMES = ("data_loss", "train_accuracy", "val_data_loss", "val_accuracy", "regularization_loss")


def seconds_a_trial(case: Case, folder: Path, trials: int, jobs: int) -> float:
    """After a first trial, for which MLflow makes its database, and which is not counted."""
    torch.set_num_threads(1)
    data = [torch.as_tensor(array) for array in load(case)]
    mlflow.set_tracking_uri(f"sqlite:///{folder}/mlflow.db")
    mlflow.set_experiment(
        experiment_id=mlflow.create_experiment("by-hand", artifact_location=f"{folder}/mlruns")
    )
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    storage = JournalStorage(JournalFileBackend(f"{folder}/study.journal"))
    study = optuna.create_study(
        direction="maximize", storage=storage, sampler=optuna.samplers.TPESampler(seed=0)
    )

    def objective(trial: Any) -> float:
        lambdas = [trial.suggest_float(name, 1e-7, 1e-1, log=True) for name in LAMBDA_NAMES]
        with mlflow.start_run(run_name=f"trial-{trial.number}"):
            mlflow.log_params(trial.params)
            for epoch, measured in enumerate(train(case, *data, lambdas), start=1):
                metrics = dict(zip(NAMES, measured, strict=True))
                mlflow.log_metrics(metrics, step=epoch)
        return metrics["val_accuracy"]

    study.optimize(objective, n_trials=1)
    start = time.perf_counter()
    study.optimize(objective, n_trials=trials, n_jobs=jobs)
    return (time.perf_counter() - start) / trials
