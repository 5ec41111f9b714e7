"""The status of a study: what there is, and how far it is."""

from collections.abc import Callable
from dataclasses import asdict
from typing import Any

from experiments.errors import StrangerError, TrackingError
from sweeps.search.study import study_record
from sweeps.workspace import Workspace


def statuses(
    place: Workspace, study: str | None = None, strangers: list[str] | None = None
) -> list[dict[str, Any]]:
    """The status of one study, or of all that were begun. Others that are in the same storage are
    added to `strangers`.
    """
    silent: set[str] = set()
    if study:
        return [status(place, place.choose(study), silent)]
    found = []
    for name in place.studies():
        try:
            found.append(status(place, name, silent))
        except StrangerError:
            if strangers is not None:
                strangers.append(name)
    return found


def status(place: Workspace, study: str, silent: set[str]) -> dict[str, Any]:
    """One study as `sweeps status --json` has it; `mlflow_missing` is None where MLflow does not
    answer.
    """
    record = study_record(place.load(study))
    best, baseline = record.best, record.baseline
    driver, tracker = place.driver(study), place.tracker(record)
    answered = ask(tracker.store.uri, tracker.read, silent)
    return {
        "study": study,
        "study_uid": record.study_uid,
        "experiment": record.experiment.name,
        "finished": len(record.trials),
        "trials": record.aim,
        "best_trial": best.trial if best else None,
        "best_value": record.value(best) if best else None,
        "baseline_value": record.value(baseline) if baseline else None,
        "driver": asdict(driver) if driver else None,
        "mlflow_missing": len(tracker.missing(record.trials)) if answered else None,
    }


def ask(uri: str, read: Callable[[], None], silent: set[str]) -> bool:
    """Whether the MLflow at this URI answers. One that does not takes seconds to say so: it is
    `silent`, and not asked again.
    """
    if uri not in silent:
        try:
            read()
        except TrackingError:
            silent.add(uri)
    return uri not in silent
