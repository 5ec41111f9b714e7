"""The command `status`."""

from sweeps.cli.app import app
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
    """List studies and their progress.

    Example: sweeps status
    """
    from sweeps.checkup.status import statuses
    from sweeps.cli import output
    from sweeps.workspace import workspace

    found, foreign = statuses(workspace(directory, storage, tracking_uri), study)
    if as_json:
        output.print_json(found)
    else:
        output.print_status(found)
    if foreign:
        output.say(f"left out, because sweeps did not create or begin them: {', '.join(foreign)}")
