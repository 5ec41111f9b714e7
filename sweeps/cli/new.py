"""The command `new`."""

from pathlib import Path
from typing import Annotated

import typer

from sweeps.cli import options


def new(
    data: Annotated[
        Path,
        typer.Argument(metavar="DATA", help="A file of rows: .csv, .tsv, .xlsx, .parquet, .npz."),
    ],
    target: Annotated[
        str | None, typer.Option(metavar="COLUMN", help="The column to predict.")
    ] = None,
    file: Annotated[
        Path | None,
        typer.Option("--output", metavar="FILE.toml", help="File to write, if not DATA.toml here."),
    ] = None,
    verbose: options.Verbose = 0,
) -> None:
    """Write an experiment file for your data, with every key explained. It never overwrites.

    Example: sweeps new rows.csv --target class
    """
    from experiments import template
    from experiments.wording import command_line, relative
    from sweeps.cli.output import say

    written = template.write(data, target, file)
    for sentence in written.guesses:
        say(sentence)
    path = relative(written.path)
    print(f"{path} written; look at it, then: {command_line('run', str(path))}")
