"""The commands that write files again: `report` and `export`."""

from pathlib import Path
from typing import Annotated

import typer

from experiments.reports import Format
from sweeps.cli import options


def report(
    study: options.StudyArgument = None,
    directory: options.Directory = options.HERE,
    storage: options.Storage = None,
    tracking_uri: options.TrackingUri = None,
    verbose: options.Verbose = 0,
) -> None:
    """Write the CSV files and the page again.

    Example: sweeps report digits
    """
    from sweeps import publish
    from sweeps.cli.output import print_files
    from sweeps.workspace import workspace

    place = workspace(directory, storage, tracking_uri)
    record = place.record(place.choose(study))
    runs = publish.read_runs(place.tracker(record))
    print_files(publish.write_reports(place, record, runs), runs)


def export(
    study: options.StudyArgument = None,
    to: Annotated[
        Path | None,
        typer.Option("--to", metavar="DIR", help="Folder to write, if not reports/STUDY."),
    ] = None,
    formats: Annotated[
        list[Format] | None,
        typer.Option(
            "--format", metavar="|".join(Format), help="Format, default csv; may be repeated."
        ),
    ] = None,
    directory: options.Directory = options.HERE,
    storage: options.Storage = None,
    tracking_uri: options.TrackingUri = None,
    verbose: options.Verbose = 0,
) -> None:
    """Write only the tables, as CSV, Parquet, Markdown or LaTeX.

    Example: sweeps export digits --to tables --format parquet
    """
    from experiments.reports import files
    from sweeps import publish
    from sweeps.cli.output import print_files
    from sweeps.workspace import workspace

    place = workspace(directory, storage, tracking_uri)
    record = place.record(place.choose(study))
    runs = publish.read_runs(place.tracker(record))
    folder = to or place.reports_of(record.study)
    print_files(files.export(record, folder, runs.ids, formats or (Format.csv,)), runs)
