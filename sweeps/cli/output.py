"""The output: what the commands print."""

import json
import os
import sys
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nnreg import LAMBDA_NAMES
from sweeps.plural import are, many

if TYPE_CHECKING:
    from rich.table import Table

    from experiments.records import TrialRecord
    from experiments.tracking import Links
    from sweeps.checkup.findings import Finding
    from sweeps.projection import Runs, Synced
    from sweeps.result import Sweep

CONFIRMATION = "of the confirmation"
MARKS = {"fine": "[green]ok[/]", "note": "[yellow]note[/]", "wrong": "[red]WRONG[/]"}


def say(sentence: str) -> None:
    """A message, on standard error."""
    print(sentence, file=sys.stderr, flush=True)


def print_json(value: Any) -> None:
    """A value as JSON, on standard output."""
    print(json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False))


def relative(path: Path) -> str:
    """A path as short as it can be written from here."""
    here = os.path.relpath(path)
    return str(path) if here.startswith("..") else here


def _print_table(table: "Table") -> None:
    from rich.console import Console

    if sys.stdout.isatty():
        Console(highlight=False).print(table)
        return
    console = Console(highlight=False, width=240)  # no width to keep to: nothing is cut
    with console.capture() as captured:
        console.print(table)
    print("\n".join(line.rstrip() for line in captured.get().splitlines()))


def _table(columns: Sequence[str], *, left: int = 1) -> "Table":
    from rich.table import Table

    table = Table(box=None, pad_edge=False, header_style="bold", show_header=any(columns))
    for position, name in enumerate(columns):
        table.add_column(
            name,
            justify="left" if position < left else "right",
            no_wrap=position >= left,
            overflow="fold",
        )
    return table


def print_links(links: "Links") -> None:
    """Where a study is on MLflow's page."""
    for name, link in asdict(links).items():
        if link:
            print(f"{name:<8}{link}", flush=True)


def print_run(sweep: "Sweep") -> None:
    """The end of `run`: baseline and best, and where everything is."""
    study = sweep.record
    table = _table((study.study, "trial", study.objective, *LAMBDA_NAMES))
    for role, trial in (("baseline", study.baseline), ("best", study.best)):
        if trial is not None:
            table.add_row(role, *_cells(trial, study.value(trial)))
    _print_table(table)
    for sentence in _remarks(sweep):
        print(sentence)
    print()
    if study.verdict:
        print_verdict(sweep)
        print()
    places = _table(("", "", ""), left=3)
    for row in _places(sweep):
        places.add_row(*row)
    _print_table(places)
    say_unwritten(sweep, trials=len(study.trials) - len(sweep.runs.ids))


def say_unwritten(sweep: "Sweep", *, trials: int = 0) -> None:
    """Say what of a sweep is not on MLflow, so many trials among it, and why."""
    if sweep.runs.error:
        say(f"sweeps: {sweep.runs.error}")
    missing = (
        (trials, many(trials, "trial")),
        (sweep.runs.unconfirmed, many(sweep.runs.unconfirmed, "run", CONFIRMATION)),
    )
    for number, what in missing:
        if number:
            them = "it" if number == 1 else "them"
            sync = f"sweeps sync {sweep.record.study}{sweep.workspace.options()}"
            say(f"sweeps: {what} {are(number)} not on MLflow; write {them} with: {sync}")


def print_verdict(sweep: "Sweep") -> None:
    """The decision card."""
    from experiments.card import card, strength

    made = card(sweep.record, sweep.workspace.options())
    if made is None:
        print("No trial without regularization is complete, so there is nothing to compare with.")
        return
    _print_text(made.says)
    table = _table(("lambda", "use", "", "tolerance"), left=4)
    for line in made.lambdas:
        table.add_row(line.name, strength(line.strength), line.advice, line.tolerance)
    _print_table(table)
    for sentence in made.facts:
        _print_text(sentence)
    for sentence in made.cautions:
        _print_text(f"! {sentence}")


def _print_text(sentence: str) -> None:
    """A sentence, in lines that fit where it is a person who reads it."""
    from rich.console import Console

    if sys.stdout.isatty():
        Console(highlight=False, markup=False).print(sentence)
    else:
        print(sentence)


def _remarks(sweep: "Sweep") -> Iterable[str]:
    from experiments.records import FAIL
    from sweeps.search.study import foreign

    study = sweep.record
    best, baseline = study.best, study.baseline
    if best and baseline and study.value(best) == study.value(baseline):
        yield f"No trial did better than the baseline; {study.tied - 1} did as well."
    elif study.tied > 1:
        yield f"The best is one of {study.tied} tied."
    diverged = sum(trial.diverged for trial in study.trials)
    if diverged:
        yield f"{diverged} of {len(study.trials)} trials diverged."
    if failed := [trial for trial in study.trials if trial.state == FAIL]:
        yield (
            f"{len(failed)} of {len(study.trials)} trials failed, such as trial {failed[0].trial}:"
            f" {failed[0].error}."
        )
    if strangers := foreign(sweep.study):
        yield (
            f"Trials in the study that sweeps did not make: {strangers}. They are left alone, and"
            " counted nowhere."
        )


def _cells(trial: "TrialRecord", value: float) -> list[str]:
    from experiments.card import strength

    return [
        str(trial.trial),
        f"{value:.4f}",
        *(strength(getattr(trial.lambdas, name)) for name in LAMBDA_NAMES),
    ]


def _places(sweep: "Sweep") -> Iterable[tuple[str, str, str]]:
    from experiments.model import WORDS

    study, place = sweep.record, sweep.workspace
    storage = place.shown_storage(study.study)
    yield "study", storage, f"optuna-dashboard {storage}"
    yield "MLflow", many(len(sweep.runs.ids), "run"), f"sweeps ui {study.study}{place.options()}"
    folder = place.reports_of(study.study)
    tables = [path.name for path in sweep.files if path.suffix == ".csv"]
    yield "tables", relative(folder), ", ".join(tables)
    if sweep.model:
        yield (
            "model",
            relative(folder / WORDS),
            f"sweeps predict {study.study}{place.options()} rows.csv",
        )
    yield from (
        ("page", relative(path), "open it in a browser")
        for path in sweep.files
        if path.suffix == ".html"
    )


def run_json(sweep: "Sweep") -> dict[str, Any]:
    """The end of `run`, for programs: the row of summary.csv, the best lambdas, the files, and what
    MLflow lacks.
    """
    import pandas as pd

    from experiments.reports import frames

    row = frames.summary(sweep.record).iloc[0]
    best = sweep.best
    return {
        **{
            str(name): (
                None if pd.isna(value) else getattr(value, "item", lambda value=value: value)()
            )
            for name, value in row.items()
        },
        "lambdas": {name: getattr(best.lambdas, name) for name in LAMBDA_NAMES} if best else None,
        "files": [str(path) for path in sweep.files],
        "mlflow_missing": (
            None if sweep.runs.error else len(sweep.record.trials) - len(sweep.runs.ids)
        ),
    }


def print_files(paths: Iterable[Path], runs: "Runs") -> None:
    """The files that were written; that MLflow did not answer is said, because mlflow_run_id is
    then empty.
    """
    if runs.error:
        say(f"sweeps: {runs.error}")
    for path in paths:
        print(relative(path))


def print_synced(done: "Synced") -> None:
    """What `sync` did."""
    if not (
        done.written or done.confirmed or done.study or done.deleted or done.kept or done.model
    ):
        print("nothing to do: all runs are there")
    for written, number, of in (
        (done.written, done.trials, ""),
        (done.confirmed, done.networks, CONFIRMATION),
    ):
        if written:
            others = "; the others were there" if written < number else ""
            print(f"{written:,} of {many(number, 'run', of)} written{others}")
    if done.study and not (done.written or done.confirmed):
        print("the study's own run put right")
    if done.deleted:
        print(
            f"{many(done.deleted, 'run')} wrong or too many, and deleted; `mlflow runs restore`"
            " brings one back"
        )
    if done.kept:
        print(f"{many(done.kept, 'file')} kept with the study's run")
    if done.model:
        print("the model registered")


def print_status(found: Sequence[dict[str, Any]]) -> None:
    """A line a study."""
    if not found:
        say("no study yet; make one with: sweeps run digits")
        return
    table = _table(
        ("study", "experiment", "trials", "best", "trial", "baseline", "MLflow", "driver"), left=2
    )
    for row in found:
        missing = row["mlflow_missing"]
        table.add_row(
            row["study"], row["experiment"], f"{row['finished']}/{row['trials']}", _number(row["best_value"]),
            _number(row["best_trial"]), _number(row["baseline_value"]),
            "no answer" if missing is None else f"{missing} missing" if missing else "all there",
            _driver(row["driver"]),
        )  # fmt: skip
    _print_table(table)


def _driver(owner: dict[str, Any] | None) -> str:
    return f"{owner['host']} {owner['pid']} since {owner['since']}" if owner else ""


def _number(value: float | int | None) -> str:
    return "" if value is None else f"{value:.4f}" if isinstance(value, float) else str(value)


def print_finding(finding: "Finding") -> None:
    """A line of the doctor's, and what to do."""
    from rich.console import Console
    from rich.markup import escape

    console = Console(highlight=False, soft_wrap=True)
    console.print(f"{MARKS[finding.level]} {escape(finding.what)}")
    if finding.remedy:
        console.print(f"   -> {escape(finding.remedy)}")
