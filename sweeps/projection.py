"""The projection: MLflow's runs and the files of reports/, made from a study's record, and made again at will."""

from dataclasses import dataclass
from pathlib import Path

from experiments.errors import TrackingError
from experiments.records import StudyRecord
from experiments.reports import files, page
from experiments.tracking import Outcome, Tracker, TrackerProcess
from sweeps.workspace import Workspace

PAGE = "report.html"


@dataclass(frozen=True)
class Runs:
    """MLflow's run ids by trial. `error` says why they could not be read, or not all be written."""

    ids: dict[int, str]
    error: TrackingError | None = None


@dataclass(frozen=True)
class Synced:
    """What `sync` did: of the study's trials so many runs were written; runs that were too many were deleted; the files that
    were kept on MLflow.
    """

    trials: int
    written: int
    deleted: int
    kept: int


def read_runs(tracker: Tracker) -> Runs:
    """What MLflow has of the study; that it does not answer is no failure of what is being done."""
    try:
        return Runs(tracker.run_ids())
    except TrackingError as error:
        return Runs({}, error)


def write_tables(place: Workspace, study: StudyRecord, runs: Runs, folder: Path | None = None) -> list[Path]:
    """Write the CSV files, into reports/ of the workspace if no folder is given; the paths written. Raises DirectoryError."""
    return files.export(study, folder or place.reports_of(study.study), runs.ids)


def write_reports(place: Workspace, study: StudyRecord, runs: Runs) -> list[Path]:
    """Write the CSV files and the page; the paths written. Raises DirectoryError."""
    store = place.store(study.experiment)
    server = store.shown if store.is_server else None
    path = page.write_page(study, place.reports_of(study.study) / PAGE, runs.ids, server)
    return [*write_tables(place, study, runs), path]


def write_all(place: Workspace, study: StudyRecord, tracker: TrackerProcess, outcome: Outcome) -> tuple[Runs, list[Path]]:
    """The end of a sweep whose trials were written with this outcome: the reports, which MLflow keeps as artifacts too.

    A MLflow that did not answer just now is not asked again.
    """
    runs = Runs(dict(outcome.runs), outcome.error)
    written = write_reports(place, study, runs)
    if runs.error is None:
        try:
            for path in written:
                tracker.log_file(path)
            tracker.finish(study, tidy=outcome.interrupted)
        except TrackingError as met:
            runs = Runs(runs.ids, met)
    return runs, written


def sync(place: Workspace, name: str) -> Synced:
    """Make MLflow again from a study, and the reports of the study, if it has any, where runs were written. Does nothing where
    all is there. Only for who has claimed the study: a run that a driver has just written would seem to have no trial.

    Raises TrackingError, DirectoryError.
    """
    study = place.record(name)
    tracker = place.tracker(study)
    written = tracker.sync(study)
    reports = place.reports_of(name)
    if written and reports.exists():
        write_reports(place, study, Runs(tracker.run_ids()))
    kept = tracker.kept()
    stale = [path for path in artifacts(reports) if written or kept.get(path.name) != path.stat().st_size]
    for path in stale:
        tracker.log_file(path)
    return Synced(len(study.trials), written, tracker.deleted, len(stale))


def artifacts(reports: Path) -> list[Path]:
    """The files of a folder of reports, but for those that are being written."""
    return sorted(path for path in reports.glob("*") if path.is_file() and not path.name.startswith("."))
