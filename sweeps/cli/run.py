"""The commands that train: `run` and `confirm`."""

from typing import Annotated

import typer

from sweeps.cli import completion, options


def run(
    place: "options.Workspace",
    experiment: Annotated[
        str | None,
        typer.Argument(
            metavar="EXPERIMENT",
            help="Name in the catalog, or TOML file; without it both are listed.",
            autocompletion=completion.experiments,
        ),
    ] = None,
    trials: Annotated[
        int | None,
        typer.Option(metavar="N", help="Number of trials, including those that exist already."),
    ] = None,
    study: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="Name of the study, if not the experiment's.",
            autocompletion=completion.studies,
        ),
    ] = None,
    workers: options.Workers = None,
    lanes: Annotated[
        int | None,
        typer.Option(metavar="N", help="Networks that a worker trains in lockstep; for tuning."),
    ] = None,
    cluster: options.Cluster = None,
    mixed_hardware: options.MixedHardware = False,
    edits: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            metavar="KEY=VALUE",
            help="Change a key of the experiment, such as training.epochs=50; may be repeated.",
            autocompletion=completion.edits,
        ),
    ] = None,
    confirm: Annotated[
        bool,
        typer.Option(
            "--confirm/--no-confirm", help="Confirm the answer with new seeds at the end."
        ),
    ] = True,
    keep_sealed: Annotated[
        bool, typer.Option("--keep-sealed", help="Confirm without opening the test set.")
    ] = False,
    as_json: options.Json = False,
) -> None:
    """Run the sweep of an experiment, or continue it.

    Example: sweeps run digits --trials 50
    """
    from sweeps.cli import output

    if experiment is None:
        from experiments.catalog import catalog

        output.say("which experiment? Give one of these to: sweeps run EXPERIMENT")
        output.say(f"catalog: {', '.join(catalog())}")
        files = ", ".join(completion.experiment_files(place.directory))
        none = "none; write one with: sweeps new DATA --target COLUMN"
        output.say(f"files in {place.directory}: {files or none}")
        raise typer.Exit(2)
    from sweeps import sweep
    from sweeps.progress import for_terminal

    result = sweep.run(
        experiment,
        trials=trials,
        study=study,
        workers=workers,
        lanes=lanes,
        cluster=cluster,
        mixed_hardware=mixed_hardware,
        edits=edits or (),
        confirm=confirm,
        keep_sealed=keep_sealed,
        **vars(place),
        progress=for_terminal(None if as_json else output.print_answer),
    )
    there = len(result.record.trials)
    if trials is not None and trials < there:
        name = result.record.study
        output.say(f"study {name} has {there} trials, and {trials} were asked for: all are kept.")
    if as_json:
        output.print_json(output.run_json(result))
    else:
        output.print_run(result)


def confirm(
    place: "options.Workspace",
    study: options.StudyArgument = None,
    open_test: Annotated[
        bool, typer.Option("--open-test", help="Open the sealed test set; every look is counted.")
    ] = False,
    workers: options.Workers = None,
    cluster: options.Cluster = None,
    mixed_hardware: options.MixedHardware = False,
    as_json: options.Json = False,
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
        **vars(place),
        progress=for_terminal(None if as_json else output.print_answer),
    )
    if as_json:
        output.print_json(output.run_json(result))
    else:
        output.say_unwritten(result)
