"""The commands that write a file to begin with: `new` and `new-model`."""

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
    model: Annotated[
        Path | None,
        typer.Option(metavar="FILE.py", help="Your own network: see sweeps new-model."),
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

    written = template.write(data, target, file, model)
    for sentence in written.guesses:
        say(sentence)
    path = relative(written.path)
    print(f"{path} written; look at it, then: {command_line('run', str(path))}")


def new_model(
    file: Annotated[Path, typer.Argument(metavar="FILE.py", help="File to write.")],
    verbose: options.Verbose = 0,
) -> None:
    """Write an example of a network of your own, which runs as it stands. It never overwrites.

    Example: sweeps new-model my_network.py
    """
    from experiments import network_file
    from experiments.wording import quoted, relative

    path = relative(network_file.write_example(file))
    print(f"{path} written; to use it for your data:")
    print(f"sweeps new DATA --target COLUMN --model {quoted(path)}")
