"""Publish a study: MLflow's runs and the files of reports/, which can always be made again."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from experiments.errors import TrackingError
from experiments.records import StudyRecord
from experiments.reports import Format, files, page
from experiments.tracking import Outcome, Tracker, TrackerProcess
from experiments.tracking.plan import network_plans
from experiments.tracking.sync import SyncedRuns, sync_runs
from sweeps.workspace import Workspace

PAGE = "report.html"


@dataclass(frozen=True)
class Runs:
    """MLflow's run ids by trial; why they could not be read, or not all be written; and how many
    networks of the confirmation were not written.
    """

    ids: dict[int, str]
    error: TrackingError | None = None
    unconfirmed: int = 0


@dataclass(frozen=True)
class Synced:
    """What `sync` did to the runs of a study, how many files it kept with the study's run, and
    whether it registered the model.
    """

    study: StudyRecord
    runs: SyncedRuns
    kept: int
    model: bool


def read_runs(tracker: TrackerProcess) -> Runs:
    """Return what MLflow has of the study. An MLflow that does not answer is not an error here."""
    try:
        with tracker:
            return Runs(tracker.call(Tracker.run_ids))
    except TrackingError as error:
        return Runs({}, error)


def write_reports(place: Workspace, study: StudyRecord, runs: Runs) -> list[Path]:
    """Write the CSV files and the page, and the tables in any other format that is there already.
    Return the paths. Raises DirectoryError.
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
    outcome: Outcome,
    observe: Callable[[int], None],
) -> tuple[Runs, list[Path]]:
    """Write what a sweep ends with, after its trials were written with this outcome: the reports,
    the runs of the confirmation, and what MLflow keeps with the study's run. `observe` is told how
    many runs wait to be written. An MLflow that did not answer before is not asked again.
    """
    planned, folder = network_plans(study), place.reports_of(study.study)
    runs = Runs(dict(outcome.runs), outcome.error, unconfirmed=len(planned))
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
        for run_id in tracker.call(Tracker.surplus, study):
            tracker.call(Tracker.delete, run_id)
        for path in _artifacts(folder):
            tracker.call(Tracker.log_file, path)
        tracker.call(Tracker.finish, study)
        tracker.call(Tracker.keep_model, study, folder)
    except TrackingError as error:
        runs = replace(runs, error=error)
    return runs, written


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
        sizes = tracker.call(Tracker.kept)
        stale = [
            path
            for path in _artifacts(reports)
            if runs or sizes.get(path.name) != path.stat().st_size
        ]
        for path in stale:
            tracker.call(Tracker.log_file, path)
        model = tracker.call(Tracker.keep_model, study, reports)
    return Synced(study, runs, len(stale), model)


def _artifacts(reports: Path) -> list[Path]:
    """Return the files of a folder of reports, except those that are being written."""
    return sorted(path for path in reports.glob("[!.]*") if path.is_file())
