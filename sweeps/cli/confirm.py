"""The command `confirm`."""

from typing import Annotated

import typer

from sweeps.cli import app
from sweeps.cli.options import HERE, Directory, Json, Storage, StudyArgument, TrackingUri, Verbose


@app.command()
def confirm(
    study: StudyArgument = None,
    open_test: Annotated[
        bool,
        typer.Option("--open-test", help="Open the sealed test set; every look at it is counted."),
    ] = False,
    workers: Annotated[
        int | None,
        typer.Option(metavar="N", help="Processes that train; as many as cores if not given."),
    ] = None,
    cluster: Annotated[
        str | None, typer.Option(metavar="ADDRESS", help="A Dask scheduler whose workers train.")
    ] = None,
    mixed_hardware: Annotated[
        bool, typer.Option("--mixed-hardware", help="Take workers that differ; it is recorded.")
    ] = False,
    directory: Directory = HERE,
    storage: Storage = None,
    tracking_uri: TrackingUri = None,
    as_json: Json = False,
    verbose: Verbose = 0,
) -> None:
    """The verdict again: is it really better, which lambdas matter, and how sure is that.

    Example: sweeps confirm digits --open-test
    """
    from sweeps import progress
    from sweeps.cli import output
    from sweeps.interrupts import Interrupts, Terminated

    try:
        with Interrupts().installed():
            from sweeps import sweep

            result = sweep.confirm(
                study, open_test=open_test, workers=workers, cluster=cluster, mixed_hardware=mixed_hardware,
                directory=directory, storage=storage, tracking_uri=tracking_uri,
                progress=progress.for_terminal(),
            )  # fmt: skip
    except (KeyboardInterrupt, Terminated):
        output.say("stopped; the networks that were trained are kept. Go on with the same command.")
        raise
    if as_json:
        output.print_json(output.run_json(result))
    else:
        output.print_verdict(result)
        output.say_unwritten(result)
