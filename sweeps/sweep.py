"""The sweep: prepare, search, confirm, publish; `sweeps.run` and `sweeps.confirm`."""

from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

from experiments.errors import InputError
from experiments.experiment_file import load
from experiments.model import unkept
from experiments.search_section import MOST_TRIALS, Confirm
from experiments.spec import Experiment
from experiments.tracking import Runs
from sweeps import family, publish
from sweeps.confirmation import is_current
from sweeps.executors.resources import Resources
from sweeps.progress import Progress
from sweeps.result import Sweep
from sweeps.search import own_sampler
from sweeps.search.own_sampler import Factory
from sweeps.search.search import Search
from sweeps.search.study_record import importances, study_record
from sweeps.session import Steps, prepare
from sweeps.workspace import workspace


def run(
    experiment: "str | Path | Experiment",
    *,
    trials: int | None = None,
    study: str | None = None,
    workers: int | None = None,
    lanes: int | None = None,
    cluster: str | None = None,
    mixed_hardware: bool = False,
    edits: Iterable[str] = (),
    confirm: bool = True,
    keep_sealed: bool = False,
    sampler: "str | Factory | None" = None,
    model: "str | Path | Callable[..., Any] | None" = None,
    directory: "str | Path" = ".",
    storage: str | None = None,
    tracking_uri: str | None = None,
    progress: Progress | None = None,
) -> Sweep:
    """Run the sweep of an experiment to its end, or continue it, and confirm what it found.

    `experiment` is a catalog name, a path to a TOML file, or an Experiment. `trials` is the total,
    also after an interruption. `study` names the study (default: the experiment's name). `workers`
    and `lanes` change the speed alone. `cluster` is the address of a Dask scheduler whose workers
    train in place of this machine; with `mixed_hardware` they may differ from it. `edits` are
    `"key=value"` as with `--set`. `keep_sealed` confirms on validation rows alone. `sampler` is a
    name, as in the file, or a function that makes an Optuna sampler from a seed; it is called for
    every generation, and the study knows it by its module and name. `model` is a network of your
    own: the path of its file, or the function itself (docs/own-network.md). If MLflow does not
    answer the sweep goes on: see `Sweep.runs`.

    Raises InputError, LockError (another process drives the study), StorageError, DirectoryError
    or WorkersError, each with one sentence.
    """
    if trials is not None and not 1 <= trials <= MOST_TRIALS:
        raise InputError(f"trials is {trials}; it must be at least 1 and at most {MOST_TRIALS:,}")
    resources = Resources(
        workers=workers, lanes=lanes, cluster=cluster, mixed_hardware=mixed_hardware
    )
    search = _search(experiment, edits, sampler, model)
    name = search.experiment.name if study is None else study
    place = workspace(directory, storage, tracking_uri)
    trials = trials or search.experiment.sweep.trials
    steps, progress = Steps(place, resources, trials), progress or Progress()
    if search.experiment.outer_folds:
        family.check(search.experiment, confirm=confirm, keep_sealed=keep_sealed)
        return family.run(steps, search, name, progress)
    return steps.run(search, name, progress, confirm=confirm, open_test=not keep_sealed)


def confirm(
    study: str | None = None,
    *,
    open_test: bool = False,
    workers: int | None = None,
    cluster: str | None = None,
    mixed_hardware: bool = False,
    model: "Callable[..., Any] | None" = None,
    directory: "str | Path" = ".",
    storage: str | None = None,
    tracking_uri: str | None = None,
    progress: Progress | None = None,
) -> Sweep:
    """Confirm what a study has found so far: choose on fresh seeds, and with `open_test` claim on
    the sealed test rows. `model` is the function of a study that was run with one.

    What is kept on the study is shown again: nothing is trained and nothing is opened twice. Raises
    as `run` does.
    """
    resources = Resources(workers=workers, cluster=cluster, mixed_hardware=mixed_hardware)
    place = workspace(directory, storage, tracking_uri)
    name = place.choose(study)
    loaded = place.load(name)
    record = study_record(loaded, importances(loaded))
    definition = record.experiment if model is None else load(record.experiment, model=model)
    if record.verdict:
        last = Confirm.model_validate(record.verdict.basis["confirm"])
        definition = definition.model_copy(update={"confirm": last})  # as it was asked for last
        shown = Sweep(record, loaded, place, Runs(), ())
        if is_current(record, last, open_test=open_test) and (shown.model or unkept(record)):
            if progress:
                progress.answer(record, place.options())
            return replace(shown, runs=publish.read_runs(place.tracker(record)))
    with prepare(place, name, Search(definition), resources, progress or Progress()) as session:
        with session.training():
            session.confirm(open_test=open_test)
            session.answer()
        return session.publish()


def _search(
    experiment: "str | Path | Experiment",
    edits: Iterable[str],
    sampler: "str | Factory | None",
    model: "str | Path | Callable[..., Any] | None",
) -> Search:
    """What is searched, by whom. Raises InputError."""
    if isinstance(sampler, str):
        edits = [*edits, f"sweep.sampler={sampler}"]
    loaded = load(experiment, edits, model)
    if sampler is not None and not isinstance(sampler, str):
        return own_sampler.searched(loaded, sampler)
    search = Search(loaded)
    search.kind  # raises before anything is made  # noqa: B018
    return search
