"""The commands about MLflow: `sync` and `ui`."""

from contextlib import ExitStack
from typing import Annotated

import typer

from sweeps.cli import options


def sync(
    place: "options.Workspace",
    study: options.StudyArgument = None,
    fresh: Annotated[
        bool,
        typer.Option(
            "--fresh",
            help="Set the directory's mlflow.db aside, and write all studies to a new one.",
        ),
    ] = False,
) -> None:
    """Rebuild the MLflow runs from the study.

    Right runs stay, missing runs are written, duplicates are deleted.

    Example: sweeps sync digits
    """
    from experiments.errors import ForeignStudyError, SweepsError
    from experiments.tracking import database
    from sweeps import publish
    from sweeps.cli.output import print_synced, say

    failed = False
    names = place.studies() if fresh else [place.choose(study)]
    with ExitStack() as locks:  # a driver writes to MLflow too: two would write a run twice
        for name in names:
            locks.enter_context(place.locked(name))
        if fresh and (aside := database.set_aside(place.store(""))):
            print(f"what was there is kept in {aside.name}")
        for name in names:
            try:
                done = publish.sync(place, name)
                if fresh:
                    print(f"study {name}:")
                print_synced(done)
            except SweepsError as error:
                if not fresh:
                    raise
                say(f"sweeps: study {name}: {error}")
                failed = failed or not isinstance(error, ForeignStudyError)
    raise typer.Exit(failed)


def ui(
    place: "options.Workspace",
    study: options.StudyArgument = None,
    port: Annotated[
        int | None, typer.Option(metavar="N", help="Port, if not 5000 or the next free one.")
    ] = None,
    browser: Annotated[bool, typer.Option("--browser/--no-browser", help="Open a browser.")] = True,
) -> None:
    """Start the MLflow page on this machine and open it. Ctrl-C stops it.

    It opens on the study's trials, best first.

    Example: sweeps ui digits
    """
    import webbrowser
    from dataclasses import asdict

    from experiments.tracking import Tracker
    from sweeps.cli.output import say
    from sweeps.cli.server import ended, serving

    with place.tracker(place.record(place.choose(study))) as tracker:
        # A study that is not on MLflow is reported before a server is started.
        links = tracker.call(Tracker.show)

    def show(url: str) -> None:
        for name, link in asdict(links.at(url)).items():
            if link:
                print(f"{name:<8}{link}", flush=True)
        if browser:
            webbrowser.open(links.at(url).trials)

    if tracker.store.is_server:
        show(tracker.store.shown)
        return
    say("starting the MLflow server ...")
    with serving(tracker.store, port) as server:
        show(server.url)
        say("Ctrl-C stops it.")
        raise ended(server.process.wait())
