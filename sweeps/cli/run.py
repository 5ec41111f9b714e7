"""The command `run`."""

from typing import TYPE_CHECKING, Annotated

import typer

from sweeps.cli import app, completion
from sweeps.cli.options import HERE, Directory, Json, Storage, TrackingUri, Verbose

if TYPE_CHECKING:
    from sweeps.workspace import Workspace


@app.command()
def run(
    experiment: Annotated[
        str | None,
        typer.Argument(
            metavar="EXPERIMENT",
            help="A catalog name, or a TOML file; left out, both are listed.",
            show_default=False,
            autocompletion=completion.experiments,
        ),
    ] = None,
    trials: Annotated[
        int | None,
        typer.Option(metavar="N", help="How many trials in all, those that are there included."),
    ] = None,
    study: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="The study's name, if not the experiment's.",
            autocompletion=completion.studies,
        ),
    ] = None,
    workers: Annotated[
        int | None,
        typer.Option(metavar="N", help="Processes that train; as many as cores if not given."),
    ] = None,
    lanes: Annotated[
        int | None,
        typer.Option(
            metavar="N", help="Networks trained in lockstep by a worker, for those who tune."
        ),
    ] = None,
    cluster: Annotated[
        str | None,
        typer.Option(
            metavar="ADDRESS",
            help="A Dask scheduler, such as tcp://host:8786, whose workers train.",
        ),
    ] = None,
    mixed_hardware: Annotated[
        bool,
        typer.Option(
            "--mixed-hardware", help="Take workers that differ from this machine; it is recorded."
        ),
    ] = False,
    edits: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            metavar="KEY=VALUE",
            help=(
                "Change a key of the experiment, such as training.epochs=50; may be given again for"
                " another key."
            ),
            autocompletion=completion.edits,
        ),
    ] = None,
    confirm: Annotated[
        bool,
        typer.Option(
            "--confirm/--no-confirm", help="Confirm the answer on fresh seeds at the end."
        ),
    ] = True,
    keep_sealed: Annotated[
        bool, typer.Option("--keep-sealed", help="Confirm without opening the test set.")
    ] = False,
    directory: Directory = HERE,
    storage: Storage = None,
    tracking_uri: TrackingUri = None,
    as_json: Json = False,
    verbose: Verbose = 0,
) -> None:
    """Run the sweep of an experiment, or go on with it.

    Example: sweeps run digits --trials 50
    """
    from sweeps import progress
    from sweeps.cli import output
    from sweeps.interrupts import Interrupts, Terminated
    from sweeps.plural import are, many
    from sweeps.workspace import workspace

    place = workspace(directory, storage, tracking_uri)
    if experiment is None:
        raise typer.Exit(_list_experiments(place))
    shown = progress.for_terminal()
    try:
        with Interrupts().installed():  # what follows imports for a second, and then reads the data
            from sweeps import sweep

            result = sweep.run(
                experiment, trials=trials, study=study, workers=workers, lanes=lanes,
                cluster=cluster, mixed_hardware=mixed_hardware, edits=edits or (),
                confirm=confirm, keep_sealed=keep_sealed,
                directory=directory, storage=storage, tracking_uri=tracking_uri, progress=shown,
            )  # fmt: skip
    except (KeyboardInterrupt, Terminated):
        kept = (
            f"{many(shown.finished, 'trial')} {are(shown.finished)} kept"
            if shown.began
            else "the search had not begun"
        )
        output.say(f"stopped; {kept}. Go on with the same command.")
        raise
    if trials is not None and trials < len(result.record.trials):
        output.say(
            f"study {result.record.study} holds {len(result.record.trials)} trials, and {trials}"
            " were asked for: all are kept."
        )
    if as_json:
        output.print_json(output.run_json(result))
    else:
        output.print_run(result)


def _list_experiments(place: "Workspace") -> int:
    from experiments import experiment_file
    from sweeps.cli import output

    files = sorted(
        path.name for path in place.directory.glob("*.toml") if path.name != "pyproject.toml"
    )
    output.say("which experiment? Give one of these to: sweeps run EXPERIMENT")
    output.say(f"catalog: {', '.join(experiment_file.catalog())}")
    output.say(
        f"files in {place.directory}:"
        f" {', '.join(files) or 'none; write one with: sweeps new DATA --target COLUMN'}"
    )
    return 2
