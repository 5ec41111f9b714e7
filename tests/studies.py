"""Studies as records, made without training: what tracking and reports are tested with."""

import dataclasses
import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np

from experiments.evaluation import CURVES, METRICS, Metrics
from experiments.records import COMPLETE, StudyRecord, TrialRecord
from experiments.spec import Experiment
from nnreg import LAMBDA_NAMES, Lambdas

BORN = datetime(2026, 11, 23, 7, 25, 49, 123456, tzinfo=UTC)


def make_trial(number: int, *, epochs: int = 3, **changes: Any) -> TrialRecord:
    """Trial 0 has all lambdas off; the numbers of the others are drawn, the same for the same number."""
    rng = np.random.default_rng(number)
    curves = {name: tuple(rng.random(epochs).tolist()) for name in CURVES}
    numbers = {name: float(rng.random()) for name in METRICS} | {name: curve[-1] for name, curve in curves.items()}
    strengths = 10 ** rng.uniform(-7, -1, size=len(LAMBDA_NAMES)) if number else np.zeros(len(LAMBDA_NAMES))
    started = BORN + timedelta(seconds=number)
    record = TrialRecord(
        trial=number,
        generation=number // 16,
        state=COMPLETE,
        lambdas=Lambdas(**{name: float(s) if s >= 1e-6 else 0.0 for name, s in zip(LAMBDA_NAMES, strengths, strict=True)}),
        metrics=Metrics(**numbers),
        curves=curves,
        epochs=epochs,
        seconds=0.25,
        started=started,
        finished=started + timedelta(milliseconds=700),
    )
    return dataclasses.replace(record, **changes)


def make_study(trials: int = 3, *, name: str = "digits", epochs: int = 3, **sections: Any) -> StudyRecord:
    """A study of the experiment `digits`; `sections` are tables of the experiment file."""
    experiment = Experiment.model_validate({"name": "digits", "data": {"source": "digits"}, **sections})
    return StudyRecord(
        study=name,
        study_uid=uuid.uuid4().hex,
        experiment=experiment.name,
        fingerprint=experiment.fingerprint,
        spec=experiment.model_dump(mode="json"),
        versions={"python": "3.11.9", "numpy": "2.4.0", "blas": ""},
        aim=0,
        trials=tuple(make_trial(number, epochs=epochs) for number in range(trials)),
    )
