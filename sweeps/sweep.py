"""The sweep: from an experiment to finished trials, a verdict, MLflow runs and files; what
`sweeps.run` does and returns.
"""

import functools
import json
import logging
from collections.abc import Iterable
from contextlib import ExitStack, closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from experiments import datasets, environment, experiment_file
from experiments.errors import InputError
from experiments.evaluation import EvaluationSpec
from experiments.model import Model, find_model
from experiments.records import StudyRecord, TrialRecord
from experiments.reports import frames
from experiments.spec import MOST_TRIALS, Confirm, Experiment
from experiments.tracking import TrackerProcess, Writer
from experiments.verdict import Verdict
from sweeps import projection
from sweeps.confirmation import Means, confirmed, is_current
from sweeps.executors.resources import Resources
from sweeps.interrupts import Interrupts
from sweeps.progress import Progress
from sweeps.search import own_sampler
from sweeps.search.driver import drive
from sweeps.search.importance import importances
from sweeps.search.own_sampler import Factory
from sweeps.search.search import Search
from sweeps.search.study import study_record
from sweeps.storage.retry import LONGEST, Patience
from sweeps.workspace import Workspace, workspace

if TYPE_CHECKING:
    import optuna
    import pandas as pd


logger = logging.getLogger(__name__)

# Processes that write to MLflow, at most. SQLite has one writer at a time: a second one gained 5 %
# there.
TRACKERS, TRACKERS_ON_SQLITE = 2, 1


@dataclass(frozen=True)
class Sweep:
    """A study that was run: its tables, its best trial, and the Optuna study itself.

    `runs` are MLflow's run ids by trial, and why they could not be read or written; `files` are the
    reports.
    """

    record: StudyRecord
    study: "optuna.Study"
    workspace: Workspace
    runs: projection.Runs
    files: tuple[Path, ...]

    @functools.cached_property
    def trials(self) -> "pd.DataFrame":
        """One row a trial: the columns of trials.csv."""
        return frames.trials(self.record, self.runs.ids)

    @functools.cached_property
    def history(self) -> "pd.DataFrame":
        """One row an epoch of every trial: the columns of history.csv."""
        return frames.history(self.record)

    @functools.cached_property
    def confirmation(self) -> "pd.DataFrame":
        """One row a role and seed: the columns of confirm.csv."""
        return frames.confirm(self.record)

    @property
    def best(self) -> TrialRecord | None:
        """The best trial: objective, then val_data_loss, then fewest lambdas on, then the lower
        number.
        """
        return self.record.best

    @property
    def verdict(self) -> Verdict | None:
        """What the confirmation found; None where there was none yet."""
        return self.record.verdict

    @functools.cached_property
    def model(self) -> Model | None:
        """The network that the verdict tells to use: `sweep.model.predict(frame)` takes raw rows.
        None where there is no verdict, or where the model is not in reports/.
        """
        return find_model(self.workspace.reports_of(self.record.study), self.record)


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
    directory: "str | Path" = ".",
    storage: str | None = None,
    tracking_uri: str | None = None,
    progress: Progress | None = None,
) -> Sweep:
    """Run the sweep of an experiment to its end, or go on with it, and confirm what it found.

    `experiment` is a catalog name, a path to a TOML file or an Experiment; `trials` the total, also
    after an interruption; `study` the study's name (the experiment's, if not given); `workers` and
    `lanes` matter for speed alone; `cluster` is the address of a Dask scheduler whose workers train
    in place of this machine, and with `mixed_hardware` they may be of several kinds; `edits` are
    `"key=value"` as with `--set`; `keep_sealed` confirms on validation rows alone. `sampler` is the
    name of one, as in the file, or a function that makes an Optuna sampler from a seed: it is
    called for every generation, and known on the study by its module and name. That MLflow does not answer
    is no failure: see `Sweep.runs`.

    Raises InputError, ClaimError (another process drives the study), StorageError, DirectoryError
    or WorkersError, each with one sentence.
    """
    if trials is not None and not 1 <= trials <= MOST_TRIALS:
        raise InputError(f"trials is {trials}; it must be at least 1 and at most {MOST_TRIALS:,}")
    resources = Resources(
        workers=workers, lanes=lanes, cluster=cluster, mixed_hardware=mixed_hardware
    )
    search = _search(experiment, edits, sampler)
    definition, place = search.experiment, workspace(directory, storage, tracking_uri)
    name = definition.name if study is None else study
    return _carry_out(
        place,
        name,
        search,
        trials=trials or definition.sweep.trials,
        confirm=confirm,
        open_test=not keep_sealed,
        resources=resources,
        progress=progress,
    )


def confirm(
    study: str | None = None,
    *,
    open_test: bool = False,
    workers: int | None = None,
    cluster: str | None = None,
    mixed_hardware: bool = False,
    directory: "str | Path" = ".",
    storage: str | None = None,
    tracking_uri: str | None = None,
    progress: Progress | None = None,
) -> Sweep:
    """Confirm what a study has found so far: choose on fresh seeds, and with `open_test` claim on
    the sealed test rows.

    What is kept on the study is shown again: nothing is trained and nothing is opened twice. Raises
    as `run` does.
    """
    resources = Resources(workers=workers, cluster=cluster, mixed_hardware=mixed_hardware)
    place = workspace(directory, storage, tracking_uri)
    name = place.choose(study)
    loaded = place.load(name)
    record = study_record(loaded, importances(loaded))
    definition = record.experiment
    if record.verdict:
        last = Confirm.model_validate_json(json.dumps(record.verdict.basis["confirm"]))
        definition = definition.model_copy(update={"confirm": last})  # as it was asked for last
        shown = Sweep(record, loaded, place, projection.Runs({}), ())
        if is_current(record, last, open_test=open_test) and shown.model:
            return replace(shown, runs=projection.read_runs(place.tracker(record)))
    return _carry_out(
        place,
        name,
        Search(definition),
        trials=None,
        confirm=True,
        open_test=open_test,
        resources=resources,
        progress=progress,
    )


def _search(
    experiment: "str | Path | Experiment", edits: Iterable[str], sampler: "str | Factory | None"
) -> Search:
    """What is searched, by whom. Raises InputError."""
    if sampler is None or isinstance(sampler, str):
        search = Search(
            experiment_file.load(
                experiment, [*edits, *([] if sampler is None else [f"sweep.sampler={sampler}"])]
            )
        )
        search.kind  # raises before anything is made  # noqa: B018
        return search
    return own_sampler.searched(experiment_file.load(experiment, edits), sampler)


def _carry_out(
    place: Workspace,
    name: str,
    search: Search,
    *,
    trials: int | None,
    confirm: bool,
    open_test: bool,
    resources: Resources,
    progress: Progress | None,
) -> Sweep:
    """Search until there are so many trials (None: not at all), confirm, and write MLflow and the
    files.
    """
    definition = search.experiment
    data = datasets.load(definition.data, definition.training.dtype)
    for note in data.notes:
        logger.info("data: %s", note)
    tracking = place.store(
        definition.name
    )  # a URI that MLflow cannot use is refused before anything is made
    shown = progress or Progress()

    with Interrupts().installed() as interrupts, ExitStack() as stack:
        executor = resources.open(
            definition, shown.note
        )  # a cluster that does not answer is told before anything is made
        stack.callback(executor.hang_up)
        patience = Patience(LONGEST, shown.note, interrupts.pause)
        opened = stack.enter_context(closing(place.open(name, search, data, patience)))
        if trials is not None:
            opened.aim(trials)
        before = study_record(opened.optuna)
        logger.info("study %s: %d trials are there", name, len(before.trials))
        logger.info("MLflow at %s, experiment %s", tracking.shown, tracking.experiment)
        if before.trials and (changed := environment.differences(before.versions)):
            shown.note(f"study {before.study} {changed}; it goes on with that")
        trackers = [
            TrackerProcess(tracking, before)
            for _ in range(TRACKERS_ON_SQLITE if tracking.file else TRACKERS)
        ]
        for tracker in trackers:
            stack.callback(tracker.close)
        writer = Writer(*trackers)
        stack.enter_context(shown)

        try:
            with executor, executor.holding(data.split, before.study_uid) as arrays:
                spec = EvaluationSpec(definition.train_config(), definition.lambdas.layers, arrays)

                def lanes() -> int:
                    return resources.lanes_of(definition, data.split, executor.size)

                def observe(trial: TrialRecord) -> None:
                    opened.note_mixture(executor.mixture)
                    writer.put(trial)
                    shown.add(trial)

                shown.begin(
                    before, before.aim if trials is None else trials, behind=lambda: writer.depth
                )
                for trial in before.trials:  # those that an earlier run could not write
                    writer.put(trial)
                if trials is not None:
                    drive(
                        opened,
                        executor,
                        spec,
                        trials=trials,
                        lanes=lanes,
                        interrupts=interrupts,
                        observe=observe,
                    )
                if confirm:
                    means = Means(
                        executor=executor,
                        spec=spec,
                        lanes=lanes,
                        interrupts=interrupts,
                        others=functools.partial(place.attributes, opened),
                        observe=shown.confirming,
                    )
                    confirmed(
                        opened,
                        data,
                        means,
                        open_test=open_test,
                        folder=place.reports_of(name),
                    )
                opened.note_mixture(executor.mixture)
        except BaseException:
            writer.abandon()
            raise
        outcome = writer.close(observe=shown.writing)
        record = study_record(opened.optuna, importances(opened.optuna))
        runs, files = projection.write_all(place, record, trackers[0], outcome, shown.writing)
    return Sweep(record, opened.optuna, place, runs, tuple(files))
