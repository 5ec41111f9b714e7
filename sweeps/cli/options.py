"""The options that several commands share."""

from pathlib import Path
from typing import Annotated

import typer

StudyArgument = Annotated[
    str | None, typer.Argument(metavar="[STUDY]", help="The study; may be left out where there is one.", show_default=False)
]
Directory = Annotated[Path, typer.Option(metavar="DIR", help="Where studies, MLflow and reports are kept.")]
Storage = Annotated[
    str | None,
    typer.Option(
        metavar="URL", help="Optuna's storage URL, or a path ending in .journal, in place of studies/ in the directory."
    ),
]
TrackingUri = Annotated[str | None, typer.Option(metavar="URI", help="MLflow's, in place of mlflow.db in the directory.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")]

HERE = Path()
