"""The output of the commands: results on standard output, messages on standard error."""

import json
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from experiments.wording import command_line, relative
from nnreg import LAMBDA_NAMES
from sweeps.progress import counted

if TYPE_CHECKING:
    from experiments.card import Card
    from experiments.records import StudyRecord
    from experiments.tracking import Runs
    from sweeps.checkup.agreement import Finding
    from sweeps.publish import Synced
    from sweeps.result import Sweep

MARKS = {"fine": ("ok", "green"), "note": ("note", "yellow"), "wrong": ("WRONG", "red")}
STATUS = ("study", "experiment", "trials", "best", "trial", "baseline", "MLflow", "driver")


def say(sentence: str) -> None:
    """Print a message, on standard error."""
    print(sentence, file=sys.stderr, flush=True)


def print_json(value: Any) -> None:
    """Print a value as JSON."""
    print(json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False))


def _print(what: str | Text | Table) -> None:
    width = None if sys.stdout.isatty() else 10_000
    console = Console(highlight=False, markup=False, width=width)
    with console.capture() as captured:
        console.print(what)
    for line in captured.get().splitlines():
        print(line.rstrip())


def _print_table(
    columns: Sequence[str], rows: Iterable[Sequence[str | Text]], *, left: int = 1
) -> None:
    """Print a table; its first `left` columns are aligned left and folded."""
    table = Table(box=None, pad_edge=False, header_style="bold", show_header=any(columns))
    for name in columns[:left]:
        table.add_column(name, overflow="fold")
    for name in columns[left:]:
        table.add_column(name, justify="right", no_wrap=True)
    for row in rows:
        table.add_row(*row)
    _print(table)


def print_answer(study: "StudyRecord", options: str) -> None:
    """Print the decision card, or the best trials and why there is no verdict."""
    from experiments.card import card
    from experiments.cautions import no_verdict

    if made := card(study, options):
        _print_card(made)
    else:
        _print_best(study)
        _print(no_verdict(study, options))
    sys.stdout.flush()  # it is to be read while MLflow is still written to


def _print_card(card: "Card") -> None:
    from experiments.verdict import BETTER, KEEP, WORSE

    style = {BETTER: "bold green", WORSE: "bold red"}.get(card.word, "bold yellow")
    _print(Text.assemble((card.title, style), card.says.removeprefix(card.title)))
    rows = [
        (line.name, Text(line.setting, "bold" if line.word == KEEP else ""), line.why, line.range)
        for line in card.lambdas
    ]
    _print_table(card.lambda_headings, rows, left=4)
    _print_table(card.model_headings, [line.cells for line in card.models])
    for fact in card.facts:
        _print(fact)
    for caution in card.cautions:
        _print(Text.assemble(("! ", "bold yellow"), caution))


def _print_best(study: "StudyRecord") -> None:
    """Print the baseline and the best trial."""
    from experiments.measures import MEASURES, tuned

    numbers = study.experiment.setting_columns
    columns = {study.study: ["trial", study.objective, *numbers, "best_epoch"]}
    best = study.best if study.best is not study.baseline else None
    for role, trial in (("baseline", study.baseline), ("best", best)):
        if trial:
            setting = [tuned(name, trial.setting.numbers[name]) for name in numbers]
            value = MEASURES[study.objective].value(study.value(trial))
            columns[role] = [str(trial.trial), value, *setting, str(trial.best_epoch)]
    _print_table(tuple(columns), zip(*columns.values(), strict=True))


def print_run(sweep: "Sweep") -> None:
    """Print what comes behind the answer: what went wrong, and where everything is."""
    print(*_remarks(sweep), "", sep="\n")
    _print_table(("", "", ""), _places(sweep), left=3)
    say_unwritten(sweep, trials=len(sweep.record.trials) - len(sweep.runs.ids))


def say_unwritten(sweep: "Sweep", *, trials: int = 0) -> None:
    """Say how many trials and confirmation runs are not on MLflow, and why."""
    if sweep.runs.error:
        say(f"sweeps: {sweep.runs.error}")
    numbers = {"trial": trials, "confirmation run": sweep.runs.unconfirmed}
    if missing := [counted(number, noun) for noun, number in numbers.items() if number]:
        sync = command_line("sync", sweep.record.study) + sweep.workspace.options()
        say(f"sweeps: not on MLflow: {' and '.join(missing)}; write what is missing with: {sync}")


def _remarks(sweep: "Sweep") -> Iterable[str]:
    from experiments.records import FAIL, PRUNED
    from sweeps.search.study_record import foreign

    study = sweep.record
    if diverged := sum(trial.diverged for trial in study.trials):
        yield f"{diverged} of {len(study.trials)} trials diverged."
    if pruned := sum(trial.state == PRUNED for trial in study.trials):
        yield f"{pruned} of {len(study.trials)} trials were pruned."
    if failed := [trial for trial in study.trials if trial.state == FAIL]:
        example = f"trial {failed[0].trial}: {' '.join(str(failed[0].error).split())}"
        yield f"{len(failed)} of {len(study.trials)} trials failed, such as {example}."
    if others := foreign(sweep.study):
        yield f"Trials that sweeps did not create: {others}. They are left alone, and not counted."


def _places(sweep: "Sweep") -> Iterable[tuple[str, str, str]]:
    from experiments.model import WORDS

    study, options = sweep.record.study, sweep.workspace.options()
    storage = sweep.workspace.shown_storage(study)
    folder = sweep.workspace.reports_of(study)
    first, second, *more = [path.name for path in sweep.files if path.suffix == ".csv"]
    yield "study", storage, f"optuna-dashboard {storage}"
    yield "MLflow", counted(len(sweep.runs.ids), "run"), command_line("ui", study) + options
    yield "tables", relative(folder), f"{first}, {second} and {len(more)} more"
    if sweep.model:
        predict = command_line("predict", study) + options
        yield "model", relative(folder / WORDS), f"{predict} rows.csv"
    for path in sweep.files:
        if path.suffix == ".html":
            use = "in a browser; explains the verdict" if sweep.verdict else "open it in a browser"
            yield "page", relative(path), use


def run_json(sweep: "Sweep") -> dict[str, Any]:
    """Return the end of `run` for programs."""
    import pandas as pd

    from experiments.reports import frames

    (row,) = frames.summary(sweep.record).to_dict("records")
    best, runs = sweep.best, sweep.runs
    return {
        **{str(name): None if pd.isna(value) else value for name, value in row.items()},
        "lambdas": {name: getattr(best.lambdas, name) for name in LAMBDA_NAMES} if best else None,
        "learning_rate": best.setting.learning_rate if best else None,
        "parameters": dict(best.setting.parameters) if best else None,
        "files": [str(path) for path in sweep.files],
        "mlflow_missing": None if runs.error else len(sweep.record.trials) - len(runs.ids),
    }


def print_files(paths: Iterable[Path], runs: "Runs") -> None:
    """Print the files that were written, and why they have no run ids, if so."""
    if runs.error:
        say(f"sweeps: {runs.error}")
    for path in paths:
        print(relative(path))


def print_synced(done: "Synced") -> None:
    """Print what `sync` did."""
    from experiments.tracking.plan import setting_plans

    lines, runs = [], done.runs
    trials = runs.trials, len(done.study.trials), "run"
    settings = runs.settings, len(setting_plans(done.study)), "confirmation run"
    for written, number, noun in (trials, settings):
        if written:
            others = "; the others were there" if written < number else ""
            lines.append(f"{written:,} of {counted(number, noun)} written{others}")
    if runs.study and not lines:
        lines.append("the study's own run corrected")
    if runs.deleted:
        restore = "`mlflow runs restore` brings one back"
        lines.append(f"{counted(runs.deleted, 'run')} wrong or duplicate, deleted; {restore}")
    if done.kept:
        lines.append(f"{counted(done.kept, 'file')} kept with the study's run")
    if done.model:
        lines.append("the model registered")
    print("\n".join(lines or ["nothing to do: all runs are there"]))


def print_status(found: Sequence[dict[str, Any]]) -> None:
    """Print one line per study."""
    if not found:
        say("no study yet; start one with: sweeps run digits")
        return
    from experiments.measures import MEASURES

    rows, beside = [], "\n" if sys.stdout.isatty() else ", "  # a terminal is narrow
    for row in found:
        best, baseline, missing = row["best_value"], row["baseline_value"], row["mlflow_missing"]
        value = MEASURES[row["objective"]].value
        there = f"{missing} missing" if missing else "all there"
        ended = f"{beside}{row['pruned']} pruned" if row["pruned"] else ""
        ended += f"{beside}{row['fail']} failed" if row["fail"] else ""
        cells = (
            *(row["study"], row["experiment"], f"{row['finished']}/{row['trials']}{ended}"),
            "" if best is None else value(best),
            "" if best is None else str(row["best_trial"]),
            "" if baseline is None else value(baseline),
            "unknown" if missing is None else there,
            "{host} {pid} since {since}".format_map(row["driver"]) if row["driver"] else "",
        )
        rows.append(cells)
    _print_table(STATUS, rows, left=2)


def print_comparison(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print studies side by side; in a terminal, which is narrow, one part of a text per line."""
    if sys.stdout.isatty():
        rows = [[text.replace(", ", "\n") for text in row] for row in rows]
    _print_table(headings, rows, left=len(headings))


def print_finding(finding: "Finding") -> None:
    """Print a line of the doctor, and what to do."""
    _print(Text.assemble(MARKS[finding.level], f" {finding.what}"))
    if finding.remedy:
        _print(f"   -> {finding.remedy}")
