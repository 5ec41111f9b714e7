"""The agreement of a study, its runs on MLflow and its tables: counts, and every difference."""

import csv
import io
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

from experiments.errors import DatabaseError, TrackingError
from experiments.model import find_model, unkept
from experiments.records import StudyRecord
from experiments.reports import frames
from experiments.reports.files import csv_text
from experiments.tracking import audit_runs
from experiments.tracking.plan import CONFIRM, TRIAL
from experiments.tracking.sync import Audit
from experiments.wording import command_line
from sweeps.checkup.status import answers
from sweeps.progress import counted
from sweeps.workspace import Workspace

FINE, NOTE, WRONG = "fine", "note", "wrong"
TABLES = {
    "trials.csv": (frames.trials, "trial"),
    "history.csv": (frames.history, "trial"),
    "confirm.csv": (frames.confirm, "role"),
}  # how each is made, and the column that names its rows

Rows = Counter[tuple[str, ...]]


@dataclass(frozen=True)
class Finding:
    """One line of the doctor. `level` is "fine", "note" (slow, or worth knowing) or "wrong"."""

    level: str
    what: str
    remedy: str = ""


def examine(
    place: Workspace, study: StudyRecord, silent: dict[str, TrackingError]
) -> Iterator[Finding]:
    """Yield every difference of a study; the MLflows in `silent` are not asked."""
    name, driver = study.study, place.driver(study.study)
    with place.tracker(study) as tracker:
        audit = tracker.call(audit_runs, study) if answers(tracker, silent) else None
    folder, options = place.reports_of(name), place.options()
    tables = {file: _read(folder / file) for file in TABLES}
    driven = f", driven by {driver}" if driver else ""
    counts = ", ".join(_counts(study, audit, tables))
    yield Finding(FINE, f"study {name}: {counts}{driven}")
    sync = f"correct it with: {command_line('sync', name)}{options}"
    export = f"write it again with: {command_line('export', name)}{options}"
    confirm = f"rebuild it with: {command_line('confirm', name)}{options}"
    if isinstance(error := silent.get(tracker.store.uri), DatabaseError):
        yield Finding(WRONG, f"study {name}: {error}")
    elif error:
        yield Finding(NOTE, f"study {name}: MLflow does not answer", f"start it, then {sync}")
    differences = [(what, sync) for what in (_runs(audit) if audit else ())]
    differences += [(what, export) for what in _table_differences(study, tables)]
    if study.verdict and not unkept(study) and find_model(folder, study) is None:
        differences.append(("the model of its verdict is not in its reports", confirm))
    elif audit:
        differences += [(what, sync) for what in audit.model]
    for what, remedy in differences:
        if driver:
            yield Finding(NOTE, f"study {name}: {what}", "look again when the sweep has ended")
        else:
            yield Finding(WRONG, f"study {name}: {what}", remedy)


def _counts(
    study: StudyRecord, audit: Audit | None, tables: dict[str, Rows | None]
) -> Iterator[str]:
    yield f"{len(study.trials)} of {counted(study.aim, 'trial')}"
    if audit:
        yield f"{counted(audit.runs[TRIAL], 'run')} on MLflow"
        if study.verdict or audit.runs[CONFIRM]:
            yield f"{counted(audit.runs[CONFIRM], 'confirmation run')} on MLflow"
    for file, table in tables.items():
        if table is not None:
            yield f"{counted(table.total(), 'row')} in {file}"


def _runs(audit: Audit) -> Iterator[str]:
    if audit.experiment_deleted:
        yield "its MLflow experiment was deleted"
    if audit.location:
        yield f"MLflow expects its artifacts in {audit.location}, from where this directory moved"
    for kind, noun in ((TRIAL, "trial"), (CONFIRM, "confirmation run")):
        if names := [one.name for one in audit.problems if one.kind == kind and not one.run_ids]:
            listed = _ranges(map(int, names)) if kind == TRIAL else ", ".join(names)
            yield f"not on MLflow: {counted(len(names), noun)} ({listed})"
    for one in audit.problems:
        what = {TRIAL: f"trial {one.name}", CONFIRM: one.name}.get(one.kind, f"the {one.kind}")
        runs = f"{counted(len(one.run_ids), 'run')}: {', '.join(one.run_ids)}"
        if not one.planned:
            yield f"{what} is not in the study, and has {runs}"
        elif len(one.run_ids) > 1:
            yield f"{what} has {runs}"
        elif not one.run_ids and one.kind not in (TRIAL, CONFIRM):
            yield f"not on MLflow: the run of {what}"
        if one.differing:
            yield f"the run of {what} differs in {', '.join(one.differing)}"


def _table_differences(study: StudyRecord, tables: dict[str, Rows | None]) -> Iterator[str]:
    for file, (make, column) in TABLES.items():
        there, wanted = tables[file], _rows(csv_text(make(study)), column)
        if there is None and wanted:
            yield f"there is no {file}, or it cannot be read as one"
        elif there is not None and (different := (there - wanted) + (wanted - there)):
            names = sorted({row[0] for row in different})
            numbers = all(name.isdecimal() for name in names)
            which = _ranges(map(int, names)) if numbers else ", ".join(names)
            yield f"{file} differs from the study ({column} {which})"


def _read(path: Path) -> Rows | None:
    try:
        return _rows(path.read_text(encoding="utf-8"), TABLES[path.name][1])
    except (OSError, ValueError, KeyError, csv.Error):
        return None


def _rows(text: str, column: str) -> Rows:
    """Count the rows of a table, each with this column first and without its run id."""
    rows = Rows()
    for row in csv.DictReader(io.StringIO(text, newline="")):
        row.pop("mlflow_run_id", None)
        rows[row[column], *(f"{key}={value}" for key, value in row.items())] += 1
    return rows


def _ranges(numbers: Iterable[int]) -> str:
    """Return for example `0-3, 7`."""
    runs = groupby(enumerate(sorted(numbers)), key=lambda pair: pair[1] - pair[0])
    ends = [[number for _, number in run] for _, run in runs]
    return ", ".join(f"{run[0]}-{run[-1]}" if len(run) > 1 else str(run[0]) for run in ends)
