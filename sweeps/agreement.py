"""The agreement of a study, its runs on MLflow and its files: what is counted, and every difference."""

import csv
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from experiments.records import StudyRecord
from experiments.reports import files, frames
from experiments.tracking.audit import Audit
from sweeps.findings import FINE, NOTE, WRONG, Finding
from sweeps.status import ask
from sweeps.study import study_record
from sweeps.workspace import Workspace

KEYS = {"trials.csv": ("trial",), "history.csv": ("trial", "epoch")}
APART = "mlflow_run_id"  # it follows MLflow, and is empty where MLflow did not answer

Row = Mapping[str, str]
Table = dict[tuple[str, ...], list[Row]]


def examine(place: Workspace, name: str, silent: set[str]) -> Iterator[Finding]:
    """Count a study's trials, runs and rows, and list every difference. `silent` are the MLflows that did not answer: one
    of them is not asked again. Where a driver is at the study, it is not yet done with what differs: that is no more than a note.
    """
    driver = place.driver(name)
    tracker = place.tracker(study_record(place.load(name)))
    answered = ask(tracker.store.uri, tracker.read, silent)
    study = study_record(place.load(name))  # after the runs: a trial is recorded before its run is written
    audit = tracker.audit(study) if answered else None
    tables = {file: _read(place.reports_of(name) / file) for file in KEYS}
    counts, sync = _counts(study, audit, tables), f"sweeps sync {name}{place.options()}"
    yield Finding(FINE, f"study {name}: {counts}{f', driven by {driver}' if driver else ''}")
    if audit is None:
        yield Finding(NOTE, f"study {name}: MLflow does not answer", f"start it, then write what is missing with: {sync}")
    export = f"sweeps export {name}{place.options()}"
    differences = [(what, f"put it right with: {sync}") for what in (_runs(audit) if audit else ())]
    differences += [(what, f"write it again with: {export}") for what in _rows(study, tables)]
    for what, remedy in differences:
        later = "look again when the sweep has ended"
        yield Finding(NOTE if driver else WRONG, f"study {name}: {what}", later if driver else remedy)


def _counts(study: StudyRecord, audit: Audit | None, tables: Mapping[str, Table | None]) -> str:
    counts = [f"{len(study.trials)} of {study.aim} trials"]
    counts += [f"{audit.runs} runs on MLflow"] if audit else []
    counts += [f"{sum(map(len, table.values()))} rows in {file}" for file, table in tables.items() if table is not None]
    return ", ".join(counts)


def _runs(audit: Audit) -> Iterator[str]:
    if audit.experiment_deleted:
        yield "its MLflow experiment was deleted"
    if audit.location:
        yield f"MLflow looks for its artifacts in {audit.location}, where this directory is no longer"
    for phrase in audit.study:
        yield f"the study's run on MLflow: {phrase}"
    if audit.without_run:
        yield f"{len(audit.without_run)} trials are not on MLflow: {_ranges(audit.without_run)}"
    for number, ids in audit.without_trial.items():
        yield f"trial {number} is not in the study, and has a run: {', '.join(ids)}"
    for number, ids in audit.several.items():
        yield f"trial {number} has {len(ids)} runs: {', '.join(ids)}"
    for number, phrases in audit.differing.items():
        yield f"the run of trial {number}: {'; '.join(phrases)}"


def _rows(study: StudyRecord, tables: Mapping[str, Table | None]) -> Iterator[str]:
    with tempfile.TemporaryDirectory(prefix="sweeps-") as folder:
        for frame, file in ((frames.trials(study), "trials.csv"), (frames.history(study), "history.csv")):
            there, wanted = tables[file], _read(files.write_csv(frame, Path(folder) / file)) or {}
            if there is None and wanted:
                yield f"there is no {file}, or it cannot be read as one"
            elif there is not None:
                yield from _differences(file, there, wanted)


def _differences(file: str, there: Table, wanted: Table) -> Iterator[str]:
    missing, extra = wanted.keys() - there.keys(), there.keys() - wanted.keys()
    double = {key for key, rows in there.items() if len(rows) > 1}
    differing = {key for key in wanted.keys() & there.keys() - double if there[key] != wanted[key]}
    kinds = (("missing", missing), ("of no trial in the study", extra), ("there twice", double), ("differing", differing))
    for what, keys in kinds:
        if keys:
            trials = _ranges({int(key[0]) for key in keys if key[0].isdecimal()})
            yield f"{file}: {len(keys)} rows {what}{trials and f', trials {trials}'}"


def _read(path: Path) -> Table | None:
    """The rows of a table by their keys, as text; None where there is no such table."""
    try:
        with path.open(encoding="utf-8", newline="") as lines:
            rows = list(csv.DictReader(lines))
    except (OSError, UnicodeDecodeError, csv.Error):
        return None
    table: Table = {}
    for row in rows:
        row.pop(APART, None)
        table.setdefault(tuple(row.get(name) or "" for name in KEYS[path.name]), []).append(row)
    return table


def _ranges(numbers: Iterable[int]) -> str:
    """For example 0-3, 7."""
    runs: list[list[int]] = []
    for number in sorted(numbers):
        if runs and number == runs[-1][-1] + 1:
            runs[-1] = [runs[-1][0], number]
        else:
            runs.append([number])
    return ", ".join("-".join(map(str, run)) for run in runs)
