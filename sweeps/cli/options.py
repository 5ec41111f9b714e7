"""The arguments and options that several commands share, and the log that --verbose turns up."""

import functools
import inspect
import logging
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from sweeps.cli import completion

if TYPE_CHECKING:
    from sweeps.workspace import Workspace as Workspace

LEVELS = (logging.WARNING, logging.INFO, logging.DEBUG)  # by the number of --verbose
TIMED = logging.Formatter("%(asctime)s %(levelname)-7s %(name)s: %(message)s", datefmt="%H:%M:%S")
HERE = Path()


class StandardError(logging.Handler):
    """Print to what standard error is at that moment: a bar replaces it while it moves."""

    def emit(self, record: logging.LogRecord) -> None:
        print(self.format(record), file=sys.stderr, flush=True)


def listen(verbosity: int) -> int:
    """Print warnings; with a verbosity of 1 also what is being done, from 2 on everything."""
    handler = StandardError()
    if verbosity:
        handler.setFormatter(TIMED)
    for name in ("sweeps", "experiments"):
        logger = logging.getLogger(name)
        logger.setLevel(LEVELS[min(verbosity, len(LEVELS) - 1)])
        logger.handlers = [handler]
    return verbosity


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
        callback=listen,
        help="Print what the program is doing, on standard error; -vv prints more.",
    ),
]


def in_workspace(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command that takes a `place` --verbose, and the options that say where that is."""
    own = inspect.signature(command).parameters
    if "place" not in own:
        return command

    def carried_out(
        directory: Directory = HERE,
        storage: Storage = None,
        tracking_uri: TrackingUri = None,
        verbose: Verbose = 0,
        **_own: Any,
    ) -> None:
        from sweeps.workspace import workspace

        command(place=workspace(directory, storage, tracking_uri), **_own)

    parameters = [*own.values(), *inspect.signature(carried_out).parameters.values()]
    vars(carried_out)["__signature__"] = inspect.Signature(
        [one for one in parameters if one.name not in ("place", "_own")]
    )
    return functools.update_wrapper(carried_out, command, ("__name__", "__doc__"), ())
