"""The command `predict`."""

import warnings
from pathlib import Path
from typing import Annotated

import typer

from sweeps.cli import completion, options


def predict(
    place: "options.Workspace",
    given: Annotated[
        list[str],
        typer.Argument(
            metavar="[STUDY] ROWS",  # Typer has no optional argument before a required one
            help="The study, if there are several; and a file of rows, such as .csv or .xlsx.",
            autocompletion=completion.studies,
        ),
    ],
    probabilities: Annotated[
        bool,
        typer.Option("--probabilities", help="Add one column per class with its probability."),
    ] = False,
    for_spreadsheet: Annotated[
        bool,
        typer.Option(
            "--for-spreadsheet", help="Write a ' before labels that a spreadsheet would run (=x)."
        ),
    ] = False,
    file: Annotated[
        Path | None,
        typer.Option("--output", metavar="FILE.csv", help="File to write; else standard output."),
    ] = None,
) -> None:
    """Label the rows of a file with the confirmed model; the result is CSV. It never overwrites.

    The rows need the columns that the experiment learned from, in any order; others are ignored.

    Example: sweeps predict digits rows.csv --probabilities
    """
    from experiments.datasets import files
    from experiments.errors import InputError
    from experiments.model import find_model, unkept
    from experiments.reports.files import csv_text, defused, plain, write_csv
    from experiments.wording import command_line, relative
    from sweeps.cli.output import say
    from sweeps.progress import counted
    from sweeps.search.study_record import study_record

    if len(given) > 2:
        raise InputError(f"{len(given)} arguments; give one study and one file of rows at a time")
    study, rows = given if len(given) == 2 else (None, given[0])
    if study is None and rows in place.studies():
        command = f"{command_line('predict', rows)}{place.options()} rows.csv"
        raise InputError(f"which rows? Give a file of them: {command}")
    if file is not None and file.exists():
        remedy = "delete it, or give another --output"
        raise InputError(f"{file}: it exists, and is not overwritten; {remedy}")
    record = study_record(place.load(place.choose(study)))
    folder = place.reports_of(record.study)
    model = find_model(folder, record)
    if why := unkept(record):
        raise InputError(f"study {record.study}: {why}")
    if model is None:
        what = f"study {record.study}: the model of its verdict is not in {folder}, or damaged"
        confirm = command_line("confirm", record.study) + place.options()
        raise InputError(f"{what}; make it with: {confirm}")
    data = files.read(Path(rows), record.experiment.data, labelled=False)
    with warnings.catch_warnings(record=True, action="always") as notes:
        table = model.table(data.frame, where=data.where)  # the label, and one column per class
    if model.label_type == "bool":  # as in the data; other booleans in our CSV are lower case
        table[model.target] = table[model.target].map(str)
    text = defused if for_spreadsheet else plain
    table = (table if probabilities else table.iloc[:, :1]).rename(columns=text)
    for note in notes:
        say(str(note.message))
    if file is None:
        print(csv_text(table, text), end="")
    else:
        print(f"{relative(write_csv(table, file, text))} written: {counted(len(table), 'row')}")
