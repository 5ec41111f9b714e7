"""The commands for before and beside a sweep: new and doctor."""

from pathlib import Path
from typing import Annotated

import typer

from sweeps.cli import app
from sweeps.cli.options import HERE, Directory, Json, Storage, StudyArgument, TrackingUri, Verbose


@app.command()
def new(
    data: Annotated[
        Path,
        typer.Argument(
            metavar="DATA", help="A file of rows: .csv, .parquet or .npz.", show_default=False
        ),
    ],
    target: Annotated[
        str | None,
        typer.Option(metavar="COLUMN", help="The column to predict.", show_default=False),
    ] = None,
    file: Annotated[
        Path | None,
        typer.Option(
            "--output", metavar="FILE.toml", help="The file to write, if not DATA.toml here."
        ),
    ] = None,
    verbose: Verbose = 0,
) -> None:
    """Write an experiment file for your data, with every key explained. It never overwrites.

    Example: sweeps new rows.csv --target class
    """
    from experiments import template
    from sweeps.cli import output

    written = template.write(data, target, file)
    for sentence in written.guesses:
        output.say(sentence)
    print(
        f"{output.relative(written.path)} written; look at it, then: sweeps run"
        f" {output.relative(written.path)}"
    )


@app.command()
def doctor(
    study: StudyArgument = None,
    directory: Directory = HERE,
    storage: Storage = None,
    tracking_uri: TrackingUri = None,
    as_json: Json = False,
    verbose: Verbose = 0,
) -> None:
    """What is installed, what would be slow or wrong, and what to do. Exit status 1 where something
    is wrong.

    Example: sweeps doctor
    """
    from dataclasses import asdict

    from sweeps.checkup.doctor import examine
    from sweeps.checkup.findings import WRONG
    from sweeps.cli import output
    from sweeps.workspace import workspace

    findings = []
    for finding in examine(workspace(directory, storage, tracking_uri), study):
        findings.append(finding)
        if not as_json:
            output.print_finding(finding)
    if as_json:
        output.print_json([asdict(finding) for finding in findings])
    raise typer.Exit(any(finding.level == WRONG for finding in findings))
