"""The status of a study: how far it is."""

from collections import Counter
from dataclasses import asdict
from typing import Any

from experiments.errors import SweepsError, TrackingError
from experiments.records import COMPLETE, FAIL, PRUNED, StudyRecord
from experiments.tracking import TrackerProcess, audit_runs, read_trial_runs
from experiments.tracking.plan import TRIAL
from sweeps.search.study_record import study_record
from sweeps.workspace import Workspace


def statuses(place: Workspace, study: str | None = None) -> tuple[list[dict[str, Any]], list[str]]:
    """Return the status of one study, or of all, and notes: why others have none, or MLflow does
    not tell.
    """
    silent: dict[str, TrackingError] = {}
    found, left_out = [], []
    for _, one in place.loaded(study):
        if isinstance(one, SweepsError):
            left_out.append(f"left out: {one}")
        else:
            found.append(status(place, study_record(one), silent))
    return found, [*left_out, *map(str, silent.values())]


def status(
    place: Workspace, record: StudyRecord, silent: dict[str, TrackingError]
) -> dict[str, Any]:
    """Return the status of one study; `mlflow_missing` is None if MLflow does not answer."""
    best, baseline = record.best, record.baseline
    states = Counter(trial.state for trial in record.trials)
    driver = place.driver(record.study)
    with place.tracker(record) as tracker:
        missing = None
        if (ids := read_trial_runs(tracker.store, record)) is not None:
            missing = len(record.trials) - len(ids)
        elif answers(tracker, silent):
            missing = len(tracker.call(audit_runs, record).missing(TRIAL))
    return {
        "study": record.study,
        "study_uid": record.study_uid,
        "experiment": record.experiment.name,
        "finished": len(record.trials),
        "trials": record.aim,
        **{state.lower(): states[state] for state in (COMPLETE, PRUNED, FAIL)},
        "objective": record.objective,
        "best_trial": best.trial if best else None,
        "best_value": record.value(best) if best else None,
        "baseline_value": record.value(baseline) if baseline else None,
        "driver": asdict(driver) if driver else None,
        "mlflow_missing": missing,
    }


def answers(tracker: TrackerProcess, silent: dict[str, TrackingError]) -> bool:
    """Return whether MLflow answers; a URI that does not is kept in `silent`, and asked once."""
    if tracker.store.uri not in silent:
        try:
            tracker.open()
        except TrackingError as error:
            silent[tracker.store.uri] = error
    return tracker.store.uri not in silent
