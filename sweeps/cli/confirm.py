"""The command `confirm`."""

from typing import Annotated

import typer

from sweeps.cli import options


def confirm(
    study: options.StudyArgument = None,
    open_test: Annotated[
        bool, typer.Option("--open-test", help="Open the sealed test set; every look is counted.")
    ] = False,
    workers: options.Workers = None,
    cluster: options.Cluster = None,
    mixed_hardware: options.MixedHardware = False,
    directory: options.Directory = options.HERE,
    storage: options.Storage = None,
    tracking_uri: options.TrackingUri = None,
    as_json: options.Json = False,
    verbose: options.Verbose = 0,
) -> None:
    """Compute the verdict: is a penalty really better, which lambdas matter, how sure is that.

    Example: sweeps confirm digits --open-test
    """
    from sweeps import sweep
    from sweeps.cli import output
    from sweeps.progress import for_terminal

    result = sweep.confirm(
        study,
        open_test=open_test,
        workers=workers,
        cluster=cluster,
        mixed_hardware=mixed_hardware,
        directory=directory,
        storage=storage,
        tracking_uri=tracking_uri,
        progress=for_terminal(),
    )
    if as_json:
        output.print_json(output.run_json(result))
    else:
        output.print_verdict(result)
        output.say_unwritten(result)
