"""The commands that look and change nothing: `status` and `doctor`."""

import typer

from sweeps.cli import options


def status(
    place: "options.Workspace",
    study: options.StudyArgument = None,
    as_json: options.Json = False,
) -> None:
    """List studies and their progress.

    Example: sweeps status
    """
    from sweeps.checkup.status import statuses
    from sweeps.cli import output

    found, notes = statuses(place, study)
    if as_json:
        output.print_json(found)
    elif found or not notes:
        output.print_status(found)
    for note in notes:
        output.say(note)


def doctor(
    place: "options.Workspace",
    study: options.StudyArgument = None,
    as_json: options.Json = False,
) -> None:
    """Check the installation, the machine and the studies, and print what to do.

    The exit status is 1 if something is wrong.

    Example: sweeps doctor
    """
    from dataclasses import asdict

    from sweeps.checkup.doctor import examine
    from sweeps.cli import output

    findings = []
    for finding in examine(place, study):
        findings.append(finding)
        if not as_json:
            output.print_finding(finding)
    if as_json:
        output.print_json([asdict(finding) for finding in findings])
    raise typer.Exit(any(finding.level == "wrong" for finding in findings))
