"""The output: what the commands print."""

import json
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nnreg import LAMBDA_NAMES

if TYPE_CHECKING:
    from experiments.records import TrialRecord
    from sweeps.sweep import Sweep


def say(sentence: str) -> None:
    """A message, on standard error."""
    print(sentence, file=sys.stderr, flush=True)


def print_json(value: Any) -> None:
    """A value as JSON, on standard output."""
    print(json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False))


def strength(value: float) -> str:
    """A lambda as people read it."""
    return f"{value:.2g}" if value > 0 else "off"


def relative(path: Path) -> str:
    """A path as short as it can be written from here."""
    here = os.path.relpath(path)
    return here if not here.startswith("..") else str(path)


def print_run(sweep: "Sweep") -> None:
    """The end of `run`: baseline and best, and where everything is."""
    from rich.console import Console
    from rich.table import Table

    study = sweep.record
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in (study.study, "trial", study.objective, *LAMBDA_NAMES):
        table.add_column(name, justify="left" if name == study.study else "right", no_wrap=True)
    for role, trial in (("baseline", study.baseline), ("best", study.best)):
        if trial is not None:
            table.add_row(role, *_cells(trial, study.value(trial)))
    console = Console(highlight=False, width=None if sys.stdout.isatty() else 200)
    console.print(table)
    if study.tied > 1:
        console.print(f"The best is one of {study.tied} tied.")
    diverged = sum(trial.diverged for trial in study.trials)
    if diverged:
        console.print(f"{diverged} of {len(study.trials)} trials diverged.")
    console.print()
    where = Table(box=None, pad_edge=False, show_header=False)
    for row in _places(sweep):
        where.add_row(*row)
    console.print(where)


def _cells(trial: "TrialRecord", value: float) -> list[str]:
    return [str(trial.trial), f"{value:.4f}", *(strength(getattr(trial.lambdas, name)) for name in LAMBDA_NAMES)]


def _places(sweep: "Sweep") -> list[tuple[str, str, str]]:
    study, place = sweep.record, sweep.workspace
    shared = place.options()
    return [
        ("study", place.shown_storage(study.study), f"optuna-dashboard {place.shown_storage(study.study)}"),
        ("MLflow", f"{len(sweep.runs)} runs", f"sweeps ui{shared}"),
        (
            "tables",
            relative(place.reports_of(study.study)),
            ", ".join(sorted(p.name for p in place.reports_of(study.study).iterdir())),
        ),
    ]


def run_json(sweep: "Sweep") -> dict[str, Any]:
    """The end of `run`, for programs."""
    return {}


def _plain(row: Mapping[str, Any]) -> dict[str, Any]:
    return dict(row)
