"""The status of a study: what there is, and how far it is."""

from dataclasses import asdict
from typing import Any

from experiments.errors import TrackingError
from sweeps.study import study_record
from sweeps.workspace import Workspace


def statuses(place: Workspace, study: str | None = None) -> list[dict[str, Any]]:
    """The status of one study, or of all that were begun."""
    return [status(place, name) for name in ([place.choose(study)] if study else place.studies())]


def status(place: Workspace, study: str) -> dict[str, Any]:
    """One study as `sweeps status --json` has it; `mlflow_missing` is None where MLflow does not answer."""
    record = study_record(place.load(study))
    best, baseline = record.best, record.baseline
    driver = place.driver(study)
    missing: int | None
    try:
        missing = len(place.tracker(record).missing(record.trials))
    except TrackingError:
        missing = None
    return {
        "study": study,
        "study_uid": record.study_uid,
        "experiment": record.experiment,
        "finished": len(record.trials),
        "trials": record.aim,
        "best_trial": best.trial if best else None,
        "best_value": record.value(best) if best else None,
        "baseline_value": record.value(baseline) if baseline else None,
        "driver": asdict(driver) if driver else None,
        "mlflow_missing": missing,
    }
