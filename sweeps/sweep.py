"""The sweep: from an experiment to finished trials, MLflow runs and files; what `sweeps.run` returns."""

import os
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from experiments import datasets, experiment_file, reports
from experiments.evaluation import EvaluationSpec, store
from experiments.records import TrialRecord
from experiments.spec import Experiment
from experiments.tracking import Tracker, Writer, choose
from sweeps.driver import drive
from sweeps.executors import InlineExecutor
from sweeps.storage import journal_path, open_storage
from sweeps.study import Study, open_study, study_record

if TYPE_CHECKING:
    import optuna
    import pandas as pd


class Sweep:
    """A study that was run: its tables, its best trial, and the Optuna study itself."""

    def __init__(self, study: "Study", runs: dict[int, str]) -> None:
        self._study, self._runs = study, runs

    @property
    def study(self) -> "optuna.Study":
        """The Optuna study."""
        return self._study.optuna

    @property
    def trials(self) -> "pd.DataFrame":
        """One row a trial: the columns of trials.csv."""
        return reports.trials_frame(study_record(self.study), self._runs)

    @property
    def best(self) -> TrialRecord | None:
        """The best trial."""
        return study_record(self.study).best


def run(
    experiment: "str | Path | Experiment",
    *,
    trials: int | None = None,
    study: str | None = None,
    edits: Iterable[str] = (),
    directory: "str | Path" = ".",
) -> Sweep:
    """Run a sweep to its end, or go on with it."""
    definition = experiment_file.load(experiment, edits)
    name = study or definition.name
    directory = Path(directory).resolve()
    data = datasets.load(definition.data, definition.training.dtype)
    journal = journal_path(directory, name)
    journal.parent.mkdir(parents=True, exist_ok=True)
    opened = open_study(open_storage(str(journal)), str(journal), name, definition)
    tracker = Tracker(choose(directory, definition.name, environ=os.environ), study_record(opened.optuna))
    writer = Writer(tracker)
    with tempfile.TemporaryDirectory(prefix="sweeps-") as folder:
        spec = EvaluationSpec(definition.train_config(), definition.lambdas.layers, store(data.split, Path(folder)))
        drive(opened, InlineExecutor(), spec, trials=trials or definition.sweep.trials, lanes=16, observe=writer.put)
    writer.close()
    tracker.finish(study_record(opened.optuna))
    sweep = Sweep(opened, tracker.run_ids())
    reports.write_csv(sweep.trials, directory / "reports" / name / "trials.csv")
    return sweep
