"""Publish a study: MLflow's runs and the files of reports/, which can always be made again."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from experiments.errors import TrackingError
from experiments.records import StudyRecord
from experiments.reports import Format, files, page
from experiments.tracking import Runs, Tracker, TrackerProcess, read_trial_runs
from experiments.tracking.plan import setting_plans, trial_plan
from experiments.tracking.sync import SyncedRuns, sync_runs
from sweeps.workspace import Workspace

PAGE = "report.html"


@dataclass(frozen=True)
class Synced:
    """What `sync` did: to the runs, how many files it logged, whether it registered the model."""

    study: StudyRecord
    runs: SyncedRuns
    kept: int
    model: bool


def read_runs(tracker: TrackerProcess) -> Runs:
    """Return what MLflow has of the study. An MLflow that does not answer is not an error here."""
    if (ids := read_trial_runs(tracker.store, tracker.study)) is not None:
        return Runs(ids)
    try:
        with tracker:
            return Runs(tracker.call(Tracker.run_ids))
    except TrackingError as error:
        return Runs({}, error)


def write_reports(place: Workspace, study: StudyRecord, runs: Runs) -> list[Path]:
    """Write CSV files and page, and again what tables there are in other formats; the paths.

    Raises DirectoryError.
    """
    store, folder = place.store(study.experiment.name), place.reports_of(study.study)
    formats = {Format.csv, *files.there(folder)}
    server = store.shown if store.is_server else None
    tables = files.export(study, folder, runs.ids, formats)
    return [*tables, page.write_page(study, folder / PAGE, runs.ids, server)]


def write_all(
    place: Workspace,
    study: StudyRecord,
    tracker: Tracker | TrackerProcess,
    runs: Runs,
    observe: Callable[[int], None],
) -> tuple[Runs, list[Path]]:
    """Write reports, confirmation runs, artifacts and model; `observe` counts waiting runs."""
    planned, folder = setting_plans(study), place.reports_of(study.study)
    runs = replace(_completed(study, tracker, runs), unconfirmed=len(planned))
    written = write_reports(place, study, runs)
    if runs.error:
        return runs, written
    try:
        for plan in planned:  # one per call: each call has a limit
            observe(runs.unconfirmed)
            tracker.call(Tracker.write, plan)
            runs = replace(runs, unconfirmed=runs.unconfirmed - 1)
        if planned:
            observe(0)
        for run in tracker.call(Tracker.surplus, study):
            tracker.call(Tracker.delete, run)
        for path in _artifacts(folder):
            tracker.call(Tracker.log_file, path)
        tracker.call(Tracker.finish, study)
        tracker.call(Tracker.keep_model, study, folder)
    except TrackingError as error:
        runs = replace(runs, error=error)
    return runs, written


def _completed(study: StudyRecord, tracker: Tracker | TrackerProcess, runs: Runs) -> Runs:
    """Write the trials again that are no longer on MLflow; return the runs that are."""
    if runs.error:
        return runs
    ids = dict(runs.ids)
    try:
        ids = tracker.call(Tracker.run_ids)
        for trial in [trial for trial in study.trials if trial.trial not in ids]:
            ids[trial.trial] = tracker.call(Tracker.write, trial_plan(study, trial)).run_id
    except TrackingError as error:
        return Runs(ids, error)
    return Runs(ids)


def sync(place: Workspace, name: str) -> Synced:
    """Rebuild MLflow from a study, and its reports, if it has any and their run ids changed. The
    study must be locked: a run that a driver has just written would seem to have no trial.

    Raises TrackingError, DirectoryError.
    """
    study, reports = place.record(name), place.reports_of(name)
    with place.tracker(study) as tracker:
        runs = sync_runs(tracker, study)
        if runs.trials and reports.exists():
            write_reports(place, study, Runs(tracker.call(Tracker.run_ids)))
        sizes, logged = tracker.call(Tracker.kept), 0
        for path in _artifacts(reports):
            if runs or sizes.get(path.name) != path.stat().st_size:
                tracker.call(Tracker.log_file, path)
                logged += 1
        model = tracker.call(Tracker.keep_model, study, reports)
    return Synced(study, runs, logged, model)


def _artifacts(reports: Path) -> list[Path]:
    """Return the files of a folder, without those that are being written."""
    return sorted(path for path in reports.glob("[!.]*") if path.is_file())
