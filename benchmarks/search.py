"""The search: a study and its driver, with a stopwatch around what is proposed and recorded."""

import statistics
import time
from collections.abc import Callable
from concurrent.futures import Executor
from dataclasses import replace
from pathlib import Path

from benchmarks.command import P, R

LANES = 1  # a task is a trial: the dearest that it can be


class Search:
    """A study on a journal, or in a database at a URL."""

    def __init__(
        self, folder: Path, generation: int, sampler: str = "tpe", storage: str | None = None
    ) -> None:
        from experiments import experiment_file
        from experiments.evaluation import EvaluationSpec
        from sweeps.workspace import workspace

        experiment = experiment_file.load(
            "digits", [f"sweep.sampler={sampler}", f"sweep.generation={generation}"]
        )
        self.study = workspace(folder, storage).open(f"{sampler}-{generation}", experiment)
        self._spec, self._generation = (
            EvaluationSpec(experiment.train_config(), experiment.lambdas.layers, ""),
            generation,
        )
        self._taken: dict[str, list[float]] = {"propose": [], "record": []}
        self.study.propose = self._watched("propose", self.study.propose)
        self.study.record = self._watched("record", self.study.record)

    def go(self, executor: Executor, trials: int, arrays: str = "") -> float:
        """Make so many trials more, rounded up to whole generations; trials per second."""
        from sweeps.executors.evaluator import Evaluator
        from sweeps.search.driver import drive

        whole = -(-trials // self._generation) * self._generation
        aim, spec = self.study.finished + whole, replace(self._spec, arrays=arrays)
        start = time.perf_counter()
        drive(
            self.study,
            Evaluator(executor, spec, lambda: LANES),
            trials=aim,
            observe=lambda trial: None,
        )
        return whole / (time.perf_counter() - start)

    def forget(self) -> None:
        """Begin to measure here."""
        for taken in self._taken.values():
            taken.clear()

    def proposing(self) -> float:
        """Seconds per trial of a middling generation."""
        return statistics.median(self._taken["propose"]) / self._generation

    def recording(self) -> float:
        """Seconds of a middling trial."""
        return statistics.median(self._taken["record"])

    def _watched(self, name: str, call: Callable[P, R]) -> Callable[P, R]:
        def watched(*arguments: P.args, **named: P.kwargs) -> R:
            start = time.perf_counter()
            try:
                return call(*arguments, **named)
            finally:
                self._taken[name].append(time.perf_counter() - start)

        return watched
