"""The sweep: from an experiment to finished trials, MLflow runs and files; what `sweeps.run` does and returns."""

import functools
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from experiments import datasets, experiment_file
from experiments.errors import InputError
from experiments.evaluation import EvaluationSpec, store
from experiments.records import StudyRecord, TrialRecord
from experiments.reports import files, frames, page
from experiments.spec import Experiment
from sweeps import executors
from sweeps.driver import drive, lanes_a_task
from sweeps.importance import importances
from sweeps.interrupts import Interrupts
from sweeps.progress import Progress
from sweeps.study import Study, study_record
from sweeps.workspace import Workspace, workspace

if TYPE_CHECKING:
    import optuna
    import pandas as pd


@dataclass(frozen=True)
class Sweep:
    """A study that was run: its tables, its best trial, and the Optuna study itself. `runs` are MLflow run ids by trial."""

    record: StudyRecord
    study: "optuna.Study"
    runs: dict[int, str]
    workspace: Workspace

    @functools.cached_property
    def trials(self) -> "pd.DataFrame":
        """One row a trial: the columns of trials.csv."""
        return frames.trials(self.record, self.runs)

    @functools.cached_property
    def history(self) -> "pd.DataFrame":
        """One row an epoch of every trial: the columns of history.csv."""
        return frames.history(self.record)

    @property
    def best(self) -> TrialRecord | None:
        """The best trial: objective, then val_data_loss, then fewest lambdas on, then the lower number."""
        return self.record.best


def run(
    experiment: "str | Path | Experiment",
    *,
    trials: int | None = None,
    study: str | None = None,
    workers: int | None = None,
    lanes: int | None = None,
    edits: Iterable[str] = (),
    directory: "str | Path" = ".",
    storage: str | None = None,
    tracking_uri: str | None = None,
    progress: Progress | None = None,
) -> Sweep:
    """Run the sweep of an experiment to its end, or go on with it.

    `experiment` is a catalog name, a path to a TOML file or an Experiment; `trials` the total, also after an interruption;
    `study` the study's name (the experiment's, if not given); `workers` and `lanes` matter for speed alone; `edits` are
    `"key=value"` as with `--set`. Raises InputError, StorageError or DirectoryError, each with one sentence.
    """
    for name, value in (("trials", trials), ("workers", workers), ("lanes", lanes)):
        if value is not None and value < 1:
            raise InputError(f"{name} is {value}; it must be at least 1")
    definition = experiment_file.load(experiment, edits)
    data = datasets.load(definition.data, definition.training.dtype)
    place = workspace(directory, storage, tracking_uri)
    opened = place.open(study or definition.name, definition)
    wanted = trials or definition.sweep.trials
    workers = workers or min(executors.cores(), definition.sweep.generation)
    lanes = lanes or lanes_a_task(definition.sweep.generation, workers)

    before = study_record(opened.optuna)
    with Interrupts().installed() as interrupts, tempfile.TemporaryDirectory(prefix="sweeps-") as folder:
        spec = EvaluationSpec(definition.train_config(), definition.lambdas.layers, store(data.split, Path(folder)))
        with progress or Progress() as shown, executors.make(workers) as executor:
            shown.begin(before, wanted)
            drive(opened, executor, spec, trials=wanted, lanes=lanes, interrupts=interrupts, observe=shown.add)
    return finish(opened, place)


def finish(opened: Study, place: Workspace) -> Sweep:
    """Bring MLflow and the files up to date with a study."""
    record = study_record(opened.optuna, importances(opened.optuna))
    from experiments.tracking import Tracker

    tracker = Tracker(f"sqlite:///{place.directory}/mlflow.db", record.experiment, record, place.directory / "mlruns")
    tracker.write(record.trials)
    folder = place.reports_of(record.study)
    files.export(record, folder, tracker.runs)
    page.write_page(record, folder / "report.html")
    return Sweep(record, opened.optuna, tracker.runs, place)
