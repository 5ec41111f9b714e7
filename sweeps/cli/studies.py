"""The commands about studies that are there: status, report, export, sync, ui."""

from pathlib import Path
from typing import Annotated

import typer

from experiments.reports import Format
from sweeps.cli import app
from sweeps.cli.options import HERE, Directory, Json, Storage, StudyArgument, TrackingUri, Verbose


@app.command()
def status(
    study: StudyArgument = None,
    directory: Directory = HERE,
    storage: Storage = None,
    tracking_uri: TrackingUri = None,
    as_json: Json = False,
    verbose: Verbose = 0,
) -> None:
    """What there is, and how far it is.

    Example: sweeps status
    """
    from sweeps.checkup.status import statuses
    from sweeps.cli import output
    from sweeps.workspace import workspace

    strangers: list[str] = []
    found = statuses(workspace(directory, storage, tracking_uri), study, strangers)
    if as_json:
        output.print_json(found)
    else:
        output.print_status(found)
    if strangers:
        output.say(
            "left out, because sweeps did not make them, or was stopped before it began:"
            f" {', '.join(strangers)}"
        )


@app.command()
def report(
    study: StudyArgument = None,
    directory: Directory = HERE,
    storage: Storage = None,
    tracking_uri: TrackingUri = None,
    verbose: Verbose = 0,
) -> None:
    """Write the CSV files and the page again.

    Example: sweeps report digits
    """
    from sweeps import projection
    from sweeps.cli import output
    from sweeps.workspace import workspace

    place = workspace(directory, storage, tracking_uri)
    record = place.record(place.choose(study))
    runs = projection.read_runs(place.tracker(record))
    output.print_files(projection.write_reports(place, record, runs), runs)


@app.command()
def export(
    study: StudyArgument = None,
    to: Annotated[
        Path | None,
        typer.Option(
            "--to", metavar="DIR", help="Where to, if not into reports/ of the directory."
        ),
    ] = None,
    formats: Annotated[
        list[Format] | None,
        typer.Option(
            "--format",
            metavar="csv|parquet",
            help="How they are written, csv if not given; may be given again for both.",
        ),
    ] = None,
    directory: Directory = HERE,
    storage: Storage = None,
    tracking_uri: TrackingUri = None,
    verbose: Verbose = 0,
) -> None:
    """Write the tables alone, as CSV or Parquet.

    Example: sweeps export digits --to tables --format parquet
    """
    from sweeps import projection
    from sweeps.cli import output
    from sweeps.workspace import workspace

    place = workspace(directory, storage, tracking_uri)
    record = place.record(place.choose(study))
    runs = projection.read_runs(place.tracker(record))
    output.print_files(
        projection.write_tables(place, record, runs, to, formats or (Format.csv,)), runs
    )


@app.command()
def sync(
    study: StudyArgument = None,
    directory: Directory = HERE,
    storage: Storage = None,
    tracking_uri: TrackingUri = None,
    verbose: Verbose = 0,
) -> None:
    """Make MLflow again from the study: what is right stays, what is missing is written, what is
    too many goes.

    Example: sweeps sync digits
    """
    from sweeps import projection
    from sweeps.cli import output
    from sweeps.workspace import workspace

    place = workspace(directory, storage, tracking_uri)
    name = place.choose(study)
    with place.claimed(name):  # a driver writes to MLflow too: two would make a trial's run twice
        done = projection.sync(place, name)
    output.print_synced(done)


@app.command()
def ui(
    study: StudyArgument = None,
    port: Annotated[
        int | None,
        typer.Option(
            metavar="N", help="The port, if not 5000 or the next free one.", show_default=False
        ),
    ] = None,
    browser: Annotated[bool, typer.Option("--browser/--no-browser", help="Open a browser.")] = True,
    directory: Directory = HERE,
    storage: Storage = None,
    tracking_uri: TrackingUri = None,
    verbose: Verbose = 0,
) -> None:
    """Start the MLflow page on this machine, and open it on the study's trials, best first. Ctrl-C
    stops it.

    Example: sweeps ui digits
    """
    import webbrowser

    from sweeps.cli import output
    from sweeps.cli.server import Server
    from sweeps.workspace import workspace

    place = workspace(directory, storage, tracking_uri)
    tracker = place.tracker(place.record(place.choose(study)))
    links = tracker.show()  # a study that is not on MLflow is said before a server is started

    def show(url: str) -> None:
        output.print_links(links.at(url))
        if browser:
            webbrowser.open(links.at(url).trials)

    if tracker.store.is_server:
        show(tracker.store.shown)
        return
    output.say("starting the MLflow server ...")
    with Server(tracker.store, port=port) as server:
        show(server.url)
        output.say("Ctrl-C stops it.")
        server.wait()
