"""The runs: what MLflow is told of a study and of a trial, as plain data; nothing here knows MLflow."""

import math
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

from experiments.evaluation import CURVES, METRICS
from experiments.records import COMPLETE, FAIL, PRUNED, StudyRecord, TrialRecord
from experiments.spec import WIDE
from nnreg import LAMBDA_NAMES

STATUS = {COMPLETE: "FINISHED", PRUNED: "KILLED", FAIL: "FAILED"}
SCALARS = ("generation", "epochs", "seconds", "diverged")  # numbers of trials.csv beside lambdas and metrics
LONGEST_NOTE = 5_000  # MLflow takes 8,000 characters in a tag, some databases count bytes
EPOCH_ZERO = datetime(1970, 1, 1, tzinfo=UTC)


class Point(NamedTuple):
    """One value of one metric; `time` in milliseconds."""

    name: str
    value: float
    time: int
    step: int


def milliseconds(time: datetime) -> int:
    """Milliseconds since 1970, exactly: `timestamp()` is a float, and its last digit may fall to either side."""
    return (time - EPOCH_ZERO) // timedelta(milliseconds=1)


def run_name(trial: TrialRecord) -> str:
    """For example `trial-00042`."""
    return f"trial-{trial.trial:05d}"


def identity(study: StudyRecord, kind: str) -> dict[str, str]:
    """The tags by which the runs of a study are found; `kind` is study or trial."""
    return {"kind": kind, "study": study.study, "study_uid": study.study_uid}


def study_tags(study: StudyRecord) -> dict[str, str]:
    """The tags of a study's run: who it is, and the versions it was born with."""
    return {**identity(study, "study"), **{name: value for name, value in study.versions.items() if value}}


def study_params(study: StudyRecord) -> dict[str, str]:
    """What is the same for all trials, under the keys of the experiment file."""
    spec = study.spec
    chosen: dict[str, Any] = {"fingerprint": study.fingerprint, "data.source": spec["data"]["source"]}
    for section in ("model", "training", "lambdas", "sweep"):
        chosen |= {f"{section}.{key}": value for key, value in spec[section].items() if (section, key) != ("sweep", "trials")}
    return {key: str(value) for key, value in chosen.items()}


def study_ended(study: StudyRecord) -> int:
    """When the last of its trials ended, in milliseconds; there must be one."""
    return milliseconds(max(trial.finished for trial in study.trials))


def trial_tags(study: StudyRecord, trial: TrialRecord) -> dict[str, str]:
    """The tags of a trial's run; what went wrong is its note, which MLflow's page shows as the description."""
    tags = {**identity(study, "trial"), "trial": str(trial.trial), "state": trial.state}
    if trial.error:
        tags["mlflow.note.content"] = trial.error[:LONGEST_NOTE]
    return tags


def trial_params(trial: TrialRecord) -> dict[str, str]:
    """The four lambdas, as text that reads back to the same numbers."""
    return {name: repr(getattr(trial, name)) for name in LAMBDA_NAMES}


def log10_lambda(study: StudyRecord, trial: TrialRecord, name: str) -> float:
    """log10 of a lambda, finite also where it is off: then it is `off_decades` below the low end of its axis.

    A lambda that is fixed has no axis: its low end is its own value, or, where it is fixed to off, that of the default axis.
    """
    value = getattr(trial, name)
    if value > 0:
        return math.log10(value)
    axis = study.spec["lambdas"][name]
    low = axis["low"] if isinstance(axis, dict) else axis or WIDE.low
    return float(math.log10(low) - study.spec["sweep"]["off_decades"])


def trial_points(study: StudyRecord, trial: TrialRecord) -> list[Point]:
    """All numbers of a trial; what is not finite is left out, because MLflow would store another number in its place."""
    return [point for point in _points(study, trial) if math.isfinite(point.value)]


def last_values(study: StudyRecord, trial: TrialRecord) -> dict[str, float]:
    """The numbers of a trial as its run has them when it is whole: of a curve the last point."""
    numbers = {**_single(study, trial), **{name: getattr(trial, name) for name in METRICS if trial.metrics}}
    return {name: value for name, value in numbers.items() if math.isfinite(value)}


def _single(study: StudyRecord, trial: TrialRecord) -> dict[str, float]:
    """The numbers that have no curve."""
    return {
        **{name: getattr(trial, name) for name in LAMBDA_NAMES},
        **{f"log10_{name}": log10_lambda(study, trial, name) for name in LAMBDA_NAMES},
        **{name: float(getattr(trial, name)) for name in SCALARS},
    }


def _points(study: StudyRecord, trial: TrialRecord) -> Iterator[Point]:
    start, end = milliseconds(trial.started), milliseconds(trial.finished)
    for name, value in _single(study, trial).items():
        yield Point(name, value, end, 0)
    if trial.metrics is None:
        return
    for name in METRICS:
        curve = dict(enumerate(trial.curves.get(name, ()) if name in CURVES else (), start=1))
        curve[trial.epochs] = getattr(trial, name)
        for step, value in curve.items():  # the epochs spread evenly over the trial's time, for charts over time
            yield Point(name, value, start + (end - start) * step // max(trial.epochs, 1), step)
