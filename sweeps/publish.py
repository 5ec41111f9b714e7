"""The projection: MLflow's runs and the files of reports/, made from a study's record, and made
again at will.
"""

from collections.abc import Callable, Collection
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
    """MLflow's run ids by trial. `error` says why they could not be read, or not all be written;
    `unconfirmed` is how many of the confirmation's networks were not written then.
    """

    ids: dict[int, str]
    error: TrackingError | None = None
    unconfirmed: int = 0


@dataclass(frozen=True)
class Synced:
    """What `sync` did: to the runs of a study, how many files it kept with the study's run, and
    whether it registered the model.
    """

    study: StudyRecord
    runs: SyncedRuns
    kept: int
    model: bool


def read_runs(tracker: TrackerProcess) -> Runs:
    """What MLflow has of the study; that it does not answer is no failure of what is being done."""
    try:
        with tracker:
            return Runs(tracker.call(Tracker.run_ids))
    except TrackingError as error:
        return Runs({}, error)


def write_tables(
    place: Workspace,
    study: StudyRecord,
    runs: Runs,
    folder: Path | None = None,
    formats: Collection[Format] = (Format.csv,),
) -> list[Path]:
    """Write the tables, into reports/ of the workspace if no folder is given; the paths written.
    Raises DirectoryError.
    """
    return files.export(study, folder or place.reports_of(study.study), runs.ids, formats)


def write_reports(place: Workspace, study: StudyRecord, runs: Runs) -> list[Path]:
    """Write the CSV files and the page, and the tables again in any format that is there already:
    none may fall behind; the paths written. Raises DirectoryError.
    """
    store = place.store(study.experiment.name)
    server = store.shown if store.is_server else None
    formats = {Format.csv, *files.there(place.reports_of(study.study))}
    tables = write_tables(place, study, runs, formats=formats)
    return [*tables, page.write_page(study, place.reports_of(study.study) / PAGE, runs.ids, server)]


def write_all(
    place: Workspace,
    study: StudyRecord,
    tracker: Tracker | TrackerProcess,
    outcome: Outcome,
    observe: Callable[[int], None],
) -> tuple[Runs, list[Path]]:
    """The end of a sweep whose trials were written with this outcome: the reports, the runs of the
    confirmation, and what else MLflow keeps with the study's run. `observe` is told how many runs
    wait to be written.

    A MLflow that did not answer just now is not asked again.
    """
    planned = network_plans(study)
    runs = Runs(dict(outcome.runs), outcome.error, unconfirmed=len(planned))
    written = write_reports(place, study, runs)
    if runs.error is None:
        try:
            for one in planned:  # one a call: each call has a limit
                observe(runs.unconfirmed)
                tracker.call(Tracker.write, one)
                runs = replace(runs, unconfirmed=runs.unconfirmed - 1)
            if planned:
                observe(0)
            for run_id in tracker.call(Tracker.surplus, study):
                tracker.call(Tracker.delete, run_id)
            for path in artifacts(place.reports_of(study.study)):
                tracker.call(Tracker.log_file, path)
            tracker.call(Tracker.finish, study)
            tracker.call(Tracker.keep_model, study, place.reports_of(study.study))
        except TrackingError as met:
            runs = replace(runs, error=met)
    return runs, written


def sync(place: Workspace, name: str) -> Synced:
    """Make MLflow again from a study, and the reports of the study, if it has any, where runs were
    written. Does nothing where all is there. Only for who has claimed the study: a run that a
    driver has just written would seem to have no trial.

    Raises TrackingError, DirectoryError.
    """
    study, reports = place.record(name), place.reports_of(name)
    with place.tracker(study) as tracker:
        runs = sync_runs(tracker, study)
        if runs.trials and reports.exists():
            write_reports(place, study, Runs(tracker.call(Tracker.run_ids)))
        kept = tracker.call(Tracker.kept)
        stale = [
            path
            for path in artifacts(reports)
            if runs or kept.get(path.name) != path.stat().st_size
        ]
        for path in stale:
            tracker.call(Tracker.log_file, path)
        model = tracker.call(Tracker.keep_model, study, reports)
    return Synced(study, runs, len(stale), model)


def artifacts(reports: Path) -> list[Path]:
    """The files of a folder of reports, but for those that are being written."""
    return sorted(
        path for path in reports.glob("*") if path.is_file() and not path.name.startswith(".")
    )
