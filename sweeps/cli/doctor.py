"""The command `doctor`."""

import typer

from sweeps.cli.app import app
from sweeps.cli.options import HERE, Directory, Json, Storage, StudyArgument, TrackingUri, Verbose


@app.command()
def doctor(
    study: StudyArgument = None,
    directory: Directory = HERE,
    storage: Storage = None,
    tracking_uri: TrackingUri = None,
    as_json: Json = False,
    verbose: Verbose = 0,
) -> None:
    """Check the installation, the machine and the studies, and print what to do.

    The exit status is 1 if something is wrong.

    Example: sweeps doctor
    """
    from dataclasses import asdict

    from sweeps.checkup.doctor import examine
    from sweeps.cli import output
    from sweeps.workspace import workspace

    findings = []
    for finding in examine(workspace(directory, storage, tracking_uri), study):
        findings.append(finding)
        if not as_json:
            output.print_finding(finding)
    if as_json:
        output.print_json([asdict(finding) for finding in findings])
    raise typer.Exit(any(finding.level == "wrong" for finding in findings))
