"""The arguments and options that several commands share."""

from pathlib import Path
from typing import Annotated

import typer

from sweeps.cli import completion, log

HERE = Path()

StudyArgument = Annotated[
    str | None,
    typer.Argument(
        metavar="STUDY",
        help="The study; may be left out if there is only one.",
        autocompletion=completion.studies,
    ),
]
Workers = Annotated[
    int | None,
    typer.Option(metavar="N", help="Number of processes that train; default: one per core."),
]
Cluster = Annotated[
    str | None,
    typer.Option(
        metavar="ADDRESS", help="Dask scheduler, such as tcp://host:8786, whose workers train."
    ),
]
MixedHardware = Annotated[
    bool,
    typer.Option(
        "--mixed-hardware", help="Accept workers that differ from this machine; it is recorded."
    ),
]
Directory = Annotated[
    Path, typer.Option(metavar="DIR", help="Directory of studies, MLflow and reports.")
]
Storage = Annotated[
    str | None,
    typer.Option(
        metavar="URL",
        help="Optuna storage in place of studies/ in the directory, such as sqlite:///studies.db,"
        " or a path ending in .journal.",
    ),
]
TrackingUri = Annotated[
    str | None,
    typer.Option(
        metavar="URI",
        help="MLflow in place of mlflow.db in the directory, such as http://HOST:5000.",
    ),
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")]
Verbose = Annotated[
    int,
    typer.Option(
        "--verbose",
        "-v",
        count=True,
        metavar="",
        show_default=False,
        callback=log.listen,
        help="Print what the program is doing, on standard error; -vv prints more.",
    ),
]
