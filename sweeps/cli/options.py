"""The options that several commands share."""

from pathlib import Path
from typing import Annotated

import typer

from sweeps.cli import completion, log

StudyArgument = Annotated[
    str | None,
    typer.Argument(
        metavar="STUDY",
        help="The study; may be left out where there is only one.",
        show_default=False,
        autocompletion=completion.studies,
    ),
]
Directory = Annotated[
    Path, typer.Option(metavar="DIR", help="Where studies, MLflow and reports are kept.")
]
Storage = Annotated[
    str | None,
    typer.Option(
        metavar="URL",
        help=(
            "Where studies are kept in place of studies/ in the directory: an Optuna storage such"
            " as sqlite:///studies.db, or a path ending in .journal."
        ),
    ),
]
TrackingUri = Annotated[
    str | None,
    typer.Option(
        metavar="URI",
        help=(
            "The MLflow to write to in place of mlflow.db in the directory, such as"
            " http://HOST:5000."
        ),
    ),
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")]
Verbose = Annotated[
    int,
    typer.Option(
        "--verbose", "-v", count=True, metavar="", show_default=False, callback=log.listen,
        help="Tell what is being done, on standard error; -vv tells all of it.",
    ),
]  # fmt: skip

HERE = Path()
