"""The Typer app that the commands of this folder add themselves to."""

from typing import Annotated

import typer

app = typer.Typer(
    name="sweeps",
    no_args_is_help=True,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _print_version(wanted: bool) -> None:
    if wanted:
        import sweeps

        print(f"sweeps {sweeps.__version__}")
        raise typer.Exit


@app.callback()
def _sweeps(
    version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_print_version, is_eager=True, help="Print the version."
        ),
    ] = False,
) -> None:
    """How strongly should weights and biases be penalised, by L1 and by L2, or not at all?

    Search the four lambdas, track every trial on MLflow, export the tables.

    Begin with: sweeps run digits
    """
