"""Studies that grow without training: a smooth surface stands in for a network."""

import math
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from experiments import experiment_file
from experiments.evaluation import CURVES, METRICS, Metrics, Setting, TrialResult
from experiments.spec import Experiment
from nnreg import LAMBDA_NAMES
from sweeps.search.search import Search
from sweeps.search.study import Study, open_study

TIME = datetime(2026, 11, 23, 7, 25, 49, 123456, tzinfo=UTC)


FIXED = "training.learning_rate=0.01"


def experiment(*edits: str) -> Experiment:
    return experiment_file.load("digits", ["sweep.generation=6", "sweep.baseline=4", *edits])


def measured(setting: Setting, epochs: int = 2) -> TrialResult:
    distance = (math.log10(setting.learning_rate) + 2) ** 2
    distance += sum(
        (math.log10(getattr(setting.lambdas, name) or 1e-8) + 3.5) ** 2 for name in LAMBDA_NAMES
    )
    value = 1 / (1 + distance)
    metrics = Metrics(**(dict.fromkeys(METRICS, value) | {"val_data_loss": distance}))
    curve = tuple(value * epoch / epochs for epoch in range(1, epochs + 1))
    return TrialResult(
        metrics=metrics,
        curves=dict.fromkeys(CURVES, curve),
        epochs=epochs,
        best_epoch=epochs,
        seconds=0.1,
        started=TIME,
        finished=TIME,
    )


def grow(study: Study, trials: int) -> None:
    """Record trials up to this many."""
    while study.finished < trials:
        for proposal in study.propose()[: trials - study.finished]:
            study.record(proposal, measured(proposal.setting))


def opened(storage: Path | str, definition: Experiment | Search, name: str = "s") -> Study:
    """Open the study as a new process would."""
    return open_study(str(storage), name, definition)


def table(study: Study) -> list[Any]:
    return [(trial.params, trial.value, trial.user_attrs) for trial in study.optuna.trials]
