"""The command `predict`."""

from pathlib import Path
from typing import Annotated

import typer

from sweeps.cli import app, completion
from sweeps.cli.options import HERE, Directory, Storage, TrackingUri, Verbose


@app.command()
def predict(
    given: Annotated[
        list[str],
        typer.Argument(
            metavar="[STUDY] ROWS",
            help=(
                "The study, which may be left out where there is one; and a file of rows: .csv,"
                " .parquet or .npz."
            ),
            show_default=False,
            autocompletion=completion.studies,
        ),
    ],
    probabilities: Annotated[
        bool,
        typer.Option(
            "--probabilities", help="One column more a class: how probable the model finds it."
        ),
    ] = False,
    file: Annotated[
        Path | None,
        typer.Option(
            "--output", metavar="FILE.csv", help="The file to write, if not standard output."
        ),
    ] = None,
    directory: Directory = HERE,
    storage: Storage = None,
    tracking_uri: TrackingUri = None,
    verbose: Verbose = 0,
) -> None:
    """Have the confirmed model label the rows of a file; the result is CSV. It never overwrites.

    The rows need the columns that the experiment learned from, in any order; others are left alone.

    Example: sweeps predict digits rows.csv --probabilities
    """
    from experiments.errors import InputError
    from experiments.reports.files import csv_text, defused, write_csv
    from sweeps import prediction
    from sweeps.cli import output
    from sweeps.plural import many
    from sweeps.workspace import workspace

    place = workspace(directory, storage, tracking_uri)
    *before, rows = (
        # a study that may be left out stands before what may not, which typer has no way to say
        given
    )
    if len(before) > 1:
        raise InputError(
            f"one study and one file of rows at a time, and {len(given)} arguments were given"
        )
    study = before[0] if before else None
    if study is None and rows in place.studies():
        raise InputError(
            f"which rows? Give a file of them: sweeps predict {rows}{place.options()} rows.csv"
        )
    if file is not None and file.exists():
        raise InputError(
            f"{file}: it is there already, and is not overwritten; give another --output, or"
            " delete it"
        )
    table = prediction.predict(place, study, Path(rows), probabilities=probabilities)
    table = table.rename(columns=defused)
    if file is None:
        print(csv_text(table), end="")
    else:
        print(f"{output.relative(write_csv(table, file))} written: {many(len(table), 'row')}")
