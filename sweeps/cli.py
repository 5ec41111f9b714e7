"""The command line."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from experiments.errors import SweepsError

app = typer.Typer(no_args_is_help=True, pretty_exceptions_enable=False)


@app.callback()
def sweeps() -> None:
    """How strongly should weights and biases be penalised? Search the four lambdas, track every trial, export the tables."""


@app.command()
def run(
    experiment: str,
    trials: Annotated[int | None, typer.Option(help="How many trials in all.")] = None,
    edits: Annotated[list[str] | None, typer.Option("--set", help="KEY=VALUE: counts as an edit of the file.")] = None,
    directory: Annotated[Path, typer.Option(help="Where everything is kept.")] = Path("."),
) -> None:
    """Run a sweep, or go on with it."""
    from sweeps.sweep import run

    best = run(experiment, trials=trials, edits=edits or (), directory=directory).best
    typer.echo(f"best {best}")


def main() -> None:
    """The console command `sweeps`."""
    try:
        app()
    except SweepsError as error:
        print(f"sweeps: {error}", file=sys.stderr)
        raise SystemExit(error.exit_status) from None
