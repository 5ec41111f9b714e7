"""The agreement of a study, its runs on MLflow and its files: what is counted, and every
difference.
"""

import csv
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from experiments.model import find_model
from experiments.records import StudyRecord
from experiments.reports import files, frames
from experiments.tracking.audit import Audit, Children
from sweeps.checkup.findings import FINE, NOTE, WRONG, Finding
from sweeps.checkup.status import ask
from sweeps.plural import are, many
from sweeps.search.study import study_record
from sweeps.workspace import Workspace

KEYS = {
    "trials.csv": ("trial",),
    "history.csv": ("trial", "epoch"),
    "confirm.csv": ("role", "trial", "seed"),
}
APART = "mlflow_run_id"  # it follows MLflow, and is empty where MLflow did not answer

Row = Mapping[str, str]
Table = dict[tuple[str, ...], list[Row]]


def examine(place: Workspace, name: str, silent: set[str]) -> Iterator[Finding]:
    """Count a study's trials, runs and rows, and list every difference. `silent` are the MLflows
    that did not answer: one of them is not asked again. Where a driver is at the study, it is not
    yet done with what differs: that is no more than a note.
    """
    driver = place.driver(name)
    tracker = place.tracker(study_record(place.load(name)))
    answered = ask(tracker.store.uri, tracker.read, silent)
    study = study_record(
        place.load(name)
    )  # after the runs: a trial is recorded before its run is written
    audit = tracker.audit(study) if answered else None
    tables = {file: _read(place.reports_of(name) / file) for file in KEYS}
    counts, sync = _counts(study, audit, tables), f"sweeps sync {name}{place.options()}"
    yield Finding(FINE, f"study {name}: {counts}{f', driven by {driver}' if driver else ''}")
    if audit is None:
        yield Finding(
            NOTE,
            f"study {name}: MLflow does not answer",
            f"start it, then write what is missing with: {sync}",
        )
    export = f"sweeps export {name}{place.options()}"
    differences = [(what, f"put it right with: {sync}") for what in (_runs(audit) if audit else ())]
    differences += [(what, f"write it again with: {export}") for what in _rows(study, tables)]
    if study.verdict and find_model(place.reports_of(name), study) is None:
        confirm = f"sweeps confirm {name}{place.options()}"
        differences += [
            ("the model of its verdict is not in its reports", f"make it again with: {confirm}")
        ]
    else:
        differences += [
            (what, f"put it right with: {sync}") for what in (audit.model if audit else ())
        ]
    for what, remedy in differences:
        later = "look again when the sweep has ended"
        yield Finding(
            NOTE if driver else WRONG, f"study {name}: {what}", later if driver else remedy
        )


def _counts(study: StudyRecord, audit: Audit | None, tables: Mapping[str, Table | None]) -> str:
    counts = [f"{len(study.trials)} of {many(study.aim, 'trial')}"]
    counts += [f"{many(audit.trials.runs, 'run')} on MLflow"] if audit else []
    if audit and (study.verdict or audit.confirmation.runs):
        counts += [f"{many(audit.confirmation.runs, 'run', 'of the confirmation')} there"]
    counts += [
        f"{many(sum(map(len, table.values())), 'row')} in {file}"
        for file, table in tables.items()
        if table is not None
    ]
    return ", ".join(counts)


def _runs(audit: Audit) -> Iterator[str]:
    if audit.experiment_deleted:
        yield "its MLflow experiment was deleted"
    if audit.location:
        yield (
            f"MLflow looks for its artifacts in {audit.location}, where this directory is no longer"
        )
    for phrase in audit.study:
        yield f"the study's run on MLflow: {phrase}"
    if missing := audit.trials.missing:
        yield f"{many(len(missing), 'trial')} {are(len(missing))} not on MLflow: {_ranges(missing)}"
    if unconfirmed := audit.confirmation.missing:
        number = len(unconfirmed)
        yield (
            f"{many(number, 'run', 'of the confirmation')} {are(number)} not on MLflow:"
            f" {', '.join(unconfirmed)}"
        )
    yield from _children(audit.trials, "trial ", "the study")
    yield from _children(audit.confirmation, "", "the confirmation")


def _children(children: Children[int] | Children[str], kind: str, where: str) -> Iterator[str]:
    for name, ids in children.strangers.items():
        yield (
            f"{kind}{name} is not in {where}, and has {'a run' if len(ids) == 1 else 'runs'}:"
            f" {', '.join(ids)}"
        )
    for name, ids in children.several.items():
        yield f"{kind}{name} has {len(ids)} runs: {', '.join(ids)}"
    for name, phrases in children.differing.items():
        yield f"the run of {kind}{name}: {'; '.join(phrases)}"


def _rows(study: StudyRecord, tables: Mapping[str, Table | None]) -> Iterator[str]:
    with tempfile.TemporaryDirectory(prefix="sweeps-") as folder:
        for frame, file in zip(
            (frames.trials(study), frames.history(study), frames.confirm(study)), KEYS, strict=True
        ):
            there, wanted = tables[file], _read(files.write_csv(frame, Path(folder) / file)) or {}
            if there is None and wanted:
                yield f"there is no {file}, or it cannot be read as one"
            elif there is not None:
                yield from _differences(file, there, wanted)


def _differences(file: str, there: Table, wanted: Table) -> Iterator[str]:
    missing, extra = wanted.keys() - there.keys(), there.keys() - wanted.keys()
    double = {key for key, rows in there.items() if len(rows) > 1}
    differing = {key for key in wanted.keys() & there.keys() - double if there[key] != wanted[key]}
    kinds = (
        ("missing", missing),
        ("of nothing in the study", extra),
        ("there twice", double),
        ("differing", differing),
    )
    for what, keys in kinds:
        if keys:
            yield f"{file}: {many(len(keys), 'row')} {what}{_where(KEYS[file], keys)}"


def _where(names: Sequence[str], keys: Iterable[tuple[str, ...]]) -> str:
    """For example `, trials 0-3` or, where rows are of roles, `, roles baseline, winner`."""
    first = {key[0] for key in keys}
    which = (
        ", ".join(sorted(first))
        if names[0] == "role"
        else _ranges({int(one) for one in first if one.isdecimal()})
    )
    return which and f", {names[0]}{'' if which.isdecimal() or len(first) == 1 else 's'} {which}"


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
