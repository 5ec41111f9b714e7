"""The same sweep by Ray Tune, whose callback writes every epoch to MLflow; a random search, which
costs it least.
"""

import os
import time
from pathlib import Path
from typing import Any

os.environ |= {
    "RAY_AIR_NEW_OUTPUT": "0",
    "RAY_USAGE_STATS_ENABLED": "0",
    "TUNE_DISABLE_AUTO_CALLBACK_LOGGERS": "1",
}

import ray
from ray import tune
from ray.air.integrations.mlflow import MLflowLoggerCallback

from benchmarks.cases import Case, load
from benchmarks.peers.optuna_by_hand import NAMES
from nnreg import LAMBDA_NAMES


def seconds_a_trial(case: Case, folder: Path, trials: int, jobs: int) -> float:
    """After a first trial for each of its processes, for which Ray starts and MLflow makes its
    database.
    """
    ray.init(num_cpus=jobs, include_dashboard=False, log_to_driver=False, logging_level="ERROR")
    try:
        _search(case, folder, jobs)
        start = time.perf_counter()
        _search(case, folder, trials)
        return (time.perf_counter() - start) / trials
    finally:
        ray.shutdown()


def _search(case: Case, folder: Path, trials: int) -> None:
    space: dict[str, Any] = {name: tune.loguniform(1e-7, 1e-1) for name in LAMBDA_NAMES}
    callback = MLflowLoggerCallback(
        tracking_uri=f"sqlite:///{folder}/mlflow.db", experiment_name="ray"
    )
    tuner = tune.Tuner(
        tune.with_parameters(_train, case=case.as_dict()),
        param_space=space,
        tune_config=tune.TuneConfig(num_samples=trials),
        run_config=tune.RunConfig(storage_path=str(folder), callbacks=[callback], verbose=0),
    )
    failed = tuner.fit().errors
    if failed:
        raise failed[0]


def _train(config: dict[str, float], case: dict[str, Any]) -> None:
    import torch

    from benchmarks.peers.torch_eager import train

    torch.set_num_threads(1)
    measured = Case(**case)
    data = [torch.as_tensor(array) for array in load(measured)]
    for row in train(measured, *data, [config[name] for name in LAMBDA_NAMES]):
        tune.report(dict(zip(NAMES, row, strict=True)))
