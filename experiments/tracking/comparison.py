"""The comparison: what a run on MLflow lacks of what the study says, and what it has that can only be thrown away."""

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from experiments.evaluation import CURVES, METRICS
from experiments.records import StudyRecord, TrialRecord
from experiments.tracking import runs
from experiments.tracking.page import PARENT, Found

if TYPE_CHECKING:
    from mlflow import MlflowClient

NOTE = "mlflow.note.content"  # the description on MLflow's page, which people edit


def of_trial(study: StudyRecord, trial: TrialRecord, run: Found, parent: Found | None) -> list[str]:
    """How the run of a trial differs, one phrase each: nothing where it is whole. Of the curves only the last points are known.

    What others added, such as tags, more metrics or another name, is no difference.
    """
    return [
        *_differing(runs.trial_params(trial), run.params),
        *_differing(runs.last_values(study, trial), run.metrics),
        *(f"{name} is {run.metrics[name]}, and the trial has none" for name in _foreign(trial, run)),
        *_differing(_tags(runs.trial_tags(study, trial)), run.tags),
        *(["not below the study's run"] if parent is None or run.tags.get(PARENT) != parent.run_id else []),
        *_ending(runs.STATUS[trial.state], runs.milliseconds(trial.finished), run),
    ]


def of_study(study: StudyRecord, run: Found) -> list[str]:
    """How the run of a study differs from that of the study when it has ended, one phrase each."""
    return [
        *_differing(runs.study_params(study), run.params),
        *_differing(runs.study_tags(study), run.tags),
        *(_ending("FINISHED", runs.study_ended(study), run) if study.trials else []),
    ]


def _differing(wanted: Mapping[str, Any], there: Mapping[str, Any]) -> list[str]:
    return [
        f"{name} is {there[name]}, not {value}" if name in there else f"no {name}"
        for name, value in wanted.items()
        if there.get(name) != value
    ]


def _tags(tags: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in tags.items() if name != NOTE}


def _ending(status: str, ended: int, run: Found) -> list[str]:
    if run.status != status:
        return [f"it is {run.status}, not {status}"]
    return [] if run.ended == ended else ["another end time"]


def contradicts(wanted: Mapping[str, str], run: Found) -> bool:
    """Whether a run has a param with another value: MLflow has no way to change one."""
    return any(run.params.get(name, value) != value for name, value in wanted.items())


def _foreign(trial: TrialRecord, run: Found) -> list[str]:
    """The measurements of a run whose trial failed without any."""
    return [] if trial.metrics else sorted(run.metrics.keys() & METRICS)


def strange_points(client: "MlflowClient", run: Found, trial: TrialRecord, planned: Iterable[runs.Point]) -> bool:
    """Whether a run has a point, of a metric of ours, that is not planned: MLflow has no way to take it back."""
    points = set(planned)
    names = {point.name for point in points} & run.metrics.keys()
    return bool(_foreign(trial, run)) or any(_history(client, run.run_id, name) - points for name in sorted(names))


def curves_differ(client: "MlflowClient", run: Found, planned: Iterable[runs.Point]) -> bool:
    """Whether a point of a curve is missing from a run, or not planned. It takes MLflow a call a curve."""
    curves: dict[str, set[runs.Point]] = {}
    for point in planned:
        if point.name in CURVES:
            curves.setdefault(point.name, set()).add(point)
    return any(_history(client, run.run_id, name) != points for name, points in curves.items())


def _history(client: "MlflowClient", run_id: str, name: str) -> set[runs.Point]:
    return {runs.Point(name, one.value, one.timestamp, one.step) for one in client.get_metric_history(run_id, name)}
