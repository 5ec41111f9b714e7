"""The agreement of a study, its runs on MLflow and its tables: counts, and every difference."""

import io
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

import pandas as pd

from experiments.model import find_model
from experiments.records import StudyRecord
from experiments.reports import frames
from experiments.reports.files import csv_text
from experiments.tracking.audit import Audit, Children
from sweeps.checkup.status import answers
from sweeps.progress import counted
from sweeps.search.study_record import study_record
from sweeps.workspace import Workspace

FINE, NOTE, WRONG = "fine", "note", "wrong"
TABLES = {
    "trials.csv": (frames.trials, ["trial"]),
    "history.csv": (frames.history, ["trial", "epoch"]),
    "confirm.csv": (frames.confirm, ["role", "trial", "seed"]),
}  # how each is made, and what identifies its rows


@dataclass(frozen=True)
class Finding:
    """One line of the doctor. `level` is "fine", "note" (slow, or worth knowing) or "wrong"."""

    level: str
    what: str
    remedy: str = ""


def examine(place: Workspace, name: str, silent: set[str]) -> Iterator[Finding]:
    """Count a study's trials, runs and rows, and list every difference. `silent` are the MLflow
    URIs that did not answer. While a driver runs the study, differences are only notes.
    """
    driver = place.driver(name)
    tracker = place.tracker(study_record(place.load(name)))
    answered = answers(tracker.store.uri, tracker.read, silent)
    study = study_record(place.load(name))  # again: a trial is recorded before its run is written
    audit = tracker.audit(study) if answered else None
    folder, options = place.reports_of(name), place.options()
    tables = {file: _read(folder / file) for file in TABLES}
    sync = f"sweeps sync {name}{options}"
    yield Finding(
        FINE,
        f"study {name}: {', '.join(_counts(study, audit, tables))}"
        f"{f', driven by {driver}' if driver else ''}",
    )
    if audit is None:
        remedy = f"start it, then write what is missing with: {sync}"
        yield Finding(NOTE, f"study {name}: MLflow does not answer", remedy)
    differences = [(what, f"put it right with: {sync}") for what in (_runs(audit) if audit else ())]
    export = f"write it again with: sweeps export {name}{options}"
    differences += [(what, export) for what in _rows(study, tables)]
    if study.verdict and find_model(folder, study) is None:
        confirm = f"make it again with: sweeps confirm {name}{options}"
        differences += [("the model of its verdict is not in its reports", confirm)]
    elif audit:
        differences += [(what, f"put it right with: {sync}") for what in audit.model]
    for what, remedy in differences:
        yield Finding(
            NOTE if driver else WRONG,
            f"study {name}: {what}",
            "look again when the sweep has ended" if driver else remedy,
        )


def _counts(
    study: StudyRecord, audit: Audit | None, tables: dict[str, pd.DataFrame | None]
) -> Iterator[str]:
    yield f"{len(study.trials)} of {counted(study.aim, 'trial')}"
    if audit:
        yield f"{counted(audit.trials.runs, 'run')} on MLflow"
        if study.verdict or audit.confirmation.runs:
            yield f"{counted(audit.confirmation.runs, 'confirmation run')} on MLflow"
    for file, table in tables.items():
        if table is not None:
            yield f"{counted(len(table), 'row')} in {file}"


def _runs(audit: Audit) -> Iterator[str]:
    if audit.experiment_deleted:
        yield "its MLflow experiment was deleted"
    if audit.location:
        yield f"MLflow expects its artifacts in {audit.location}, from where this directory moved"
    for phrase in audit.study:
        yield f"the study's run on MLflow: {phrase}"
    if missing := audit.trials.missing:
        yield f"not on MLflow: {counted(len(missing), 'trial')} ({_ranges(missing)})"
    if unconfirmed := audit.confirmation.missing:
        number = counted(len(unconfirmed), "confirmation run")
        yield f"not on MLflow: {number} ({', '.join(unconfirmed)})"
    yield from _children(audit.trials, "trial ", "the study")
    yield from _children(audit.confirmation, "", "the confirmation")


def _children(children: Children[int] | Children[str], kind: str, where: str) -> Iterator[str]:
    for name, ids in children.strangers.items():
        yield f"{kind}{name} is not in {where}, and has {counted(len(ids), 'run')}: {', '.join(ids)}"
    for name, ids in children.several.items():
        yield f"{kind}{name} has {len(ids)} runs: {', '.join(ids)}"
    for name, phrases in children.differing.items():
        yield f"the run of {kind}{name}: {'; '.join(phrases)}"


def _rows(study: StudyRecord, tables: dict[str, pd.DataFrame | None]) -> Iterator[str]:
    for file, (make, keys) in TABLES.items():
        there, wanted = tables[file], _parse(csv_text(make(study)), keys)
        if there is not None:
            yield from _row_differences(file, there, wanted)
        elif len(wanted):
            yield f"there is no {file}, or it cannot be read as one"


def _row_differences(file: str, there: pd.DataFrame, wanted: pd.DataFrame) -> Iterator[str]:
    double = there.index[there.index.duplicated()].unique()
    both = wanted.index.intersection(there.index).difference(double)
    unequal = (there.reindex(columns=wanted.columns).loc[both] != wanted.loc[both]).any(axis=1)
    kinds = {
        "missing": wanted.index.difference(there.index),
        "of nothing in the study": there.index.difference(wanted.index),
        "there twice": double,
        "differing": both[unequal.to_numpy()],
    }
    for what, keys in kinds.items():
        if len(keys):
            name, first = keys.names[0], keys.get_level_values(0).unique()
            which = _ranges(map(int, first)) if all(map(str.isdecimal, first)) else ", ".join(first)
            yield f"{file}: {counted(len(keys), 'row')} {what} ({name} {which})"


def _read(path: Path) -> pd.DataFrame | None:
    try:
        return _parse(path.read_text(encoding="utf-8"), TABLES[path.name][1])
    except (OSError, ValueError, KeyError):
        return None


def _parse(text: str, keys: list[str]) -> pd.DataFrame:
    """Return the rows of a table as text, by their keys. The run ids follow MLflow: they are not
    compared.
    """
    table = pd.read_csv(io.StringIO(text), dtype=str, keep_default_na=False)
    return table.set_index(keys).drop(columns="mlflow_run_id", errors="ignore")


def _ranges(numbers: Iterable[int]) -> str:
    """Return for example `0-3, 7`."""
    runs = groupby(enumerate(sorted(numbers)), key=lambda pair: pair[1] - pair[0])
    ends = [[number for _, number in run] for _, run in runs]
    return ", ".join(f"{run[0]}-{run[-1]}" if len(run) > 1 else str(run[0]) for run in ends)
