"""A study searched in this process as `sweeps run` does it, without MLflow and reports."""

import functools
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

from experiments import datasets
from experiments.datasets import Dataset
from experiments.evaluation import stored
from experiments.spec import Experiment
from sweeps.confirmation import Means
from sweeps.executors.evaluator import Evaluator
from sweeps.executors.local import InlineExecutor
from sweeps.executors.resources import Resources
from sweeps.search.driver import drive
from sweeps.search.study import Study
from sweeps.workspace import Workspace, workspace


@dataclass(frozen=True, kw_only=True)
class Searched:
    """A study with all its trials, its data, and what a confirmation of it works with; the search
    took so many seconds of CPU.
    """

    study: Study
    data: Dataset
    means: Means
    place: Workspace
    seconds: float


@contextmanager
def searched(experiment: Experiment, folder: Path, study: str | None = None) -> Iterator[Searched]:
    """Search an experiment in a folder, as a study that is named as it is, or otherwise; the study
    is open in the block.
    """
    name = study or experiment.name
    place, data = workspace(folder), datasets.load(experiment.data, experiment.training.dtype)
    executor = InlineExecutor()
    lanes = functools.partial(Resources().lanes_of, experiment, data.split, executor.size)
    with closing(place.open(name, experiment)) as opened, stored(data.splits) as arrays:
        evaluator = Evaluator(executor, experiment.evaluation(arrays), lanes)
        start = time.process_time()
        drive(
            opened,
            evaluator,
            trials=experiment.sweep.trials,
            observe=lambda trial: None,
        )
        seconds = time.process_time() - start
        means = Means(
            evaluator=evaluator,
            others=functools.partial(place.kept, note=print),
            observe=lambda trained, networks: None,
        )
        yield Searched(study=opened, data=data, means=means, place=place, seconds=seconds)
