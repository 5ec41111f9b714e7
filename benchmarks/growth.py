"""What does a trial cost when ten thousand lie behind it?

    python -m benchmarks.growth [--tiny] [--trials N]

The search alone, through the real driver and a real journal: proposing and recording. Training is
made up in no time, and MLflow is left out, whose cost is the same for every trial; but what waits
for it is kept in memory, all of it, as if it had never answered. At the end the reports are
written. Each sampler has a process of its own; its peak memory is the driver's.
"""

import math
import sys
import tempfile
import time
from concurrent.futures import Executor, Future
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.command import begin, head, in_child, row

PARTS = 10
GOALS = {"qmc": 1.3, "cmaes": 1.3, "tpe": 3.0}
"""The greatest ratio wanted of the last tenth of the trials to the first, by sampler."""


@dataclass(frozen=True)
class Growth:
    """Seconds per trial in each tenth of the search, seconds of the reports, and peak memory in MB
    after either.
    """

    parts: list[float]
    reports: float
    searched: float
    reported: float


class Instant(Executor):
    """An executor that trains nothing: its results are a smooth function of the lambdas."""

    def submit(self, fn: Any, /, *args: Any, **kwargs: Any) -> Future[Any]:
        spec, jobs = args
        future: Future[Any] = Future()
        future.set_result([(made_up(job, spec.config.epochs),) for job in jobs])
        return future


def made_up(job: Any, epochs: int) -> Any:
    from dataclasses import astuple
    from datetime import UTC, datetime

    from experiments.evaluation import CURVES, METRICS, Metrics, TrialResult

    value = math.exp(
        -sum((math.log10(max(each, 1e-7)) + 4) ** 2 for each in astuple(job.setting.lambdas)) / 40
    )
    curve = tuple(value * (1 - math.exp(-epoch / 7)) for epoch in range(1, epochs + 1))
    now = datetime.now(UTC)
    return TrialResult(
        metrics=Metrics(**dict.fromkeys(METRICS, curve[-1])), curves=dict.fromkeys(CURVES, curve),
        epochs=len(curve), best_epoch=len(curve), seconds=0.01, started=now, finished=now,
    )  # fmt: skip


def main() -> None:
    arguments = begin(__doc__, trials=(10_000, "trials in all"))
    trials = 40 if arguments.tiny else arguments.trials
    tenth = trials // PARTS
    for sampler, goal in list(GOALS.items())[2 if arguments.tiny else 0 :]:
        growth = in_child(search, sampler, trials)
        first, *_, last = growth.parts
        head(f"{sampler}, {trials:,} trials")
        for part in (0, PARTS // 2 - 1, PARTS - 1):
            row(
                f"trials {part * tenth:,} to {(part + 1) * tenth:,}, per trial",
                f"{1000 * growth.parts[part]:.2f} ms",
            )
        row("the last against the first", f"{last / first:.2f}", f"<= {goal:g}")
        row("the driver's peak memory after the search", f"{growth.searched:,.0f} MB", "< 1,000 MB")
        row("and after the reports", f"{growth.reported:,.0f} MB", "< 1,000 MB")
        row("the reports", f"{growth.reports:.1f} s")


def search(sampler: str, trials: int) -> Growth:
    with tempfile.TemporaryDirectory() as folder:
        _search(sampler, 48, Path(folder, "warm"))  # imports, and what is made once
        return _search(sampler, trials, Path(folder, "measured"))


def _search(sampler: str, trials: int, folder: Path) -> Growth:
    from experiments import experiment_file
    from experiments.evaluation import EvaluationSpec
    from experiments.records import TrialRecord
    from sweeps.executors.evaluator import Evaluator
    from sweeps.publish import Runs, write_reports
    from sweeps.search.driver import drive
    from sweeps.search.study_record import importances, study_record
    from sweeps.workspace import workspace

    experiment = experiment_file.load("digits", [f"sweep.sampler={sampler}"])
    place = workspace(folder)
    spec = EvaluationSpec(experiment.train_config(), experiment.lambdas.layers, str(folder))
    waiting: list[TrialRecord] = []
    times = []

    def observe(trial: TrialRecord) -> None:
        waiting.append(trial)
        times.append(time.perf_counter())

    start = time.perf_counter()
    with closing(place.open("growth", experiment)) as study:
        drive(
            study,
            Evaluator(Instant(), spec, lambda: 16),
            trials=trials,
            observe=observe,
        )
    tenth = trials // PARTS
    marks = [start, *times[tenth - 1 :: tenth]]
    searched = peak_memory()
    start = time.perf_counter()
    write_reports(place, study_record(study.optuna, importances(study.optuna)), Runs({}))
    return Growth(
        [(marks[part + 1] - marks[part]) / tenth for part in range(PARTS)],
        time.perf_counter() - start,
        searched,
        peak_memory(),
    )


def peak_memory() -> float:
    """The most memory that this process has held, in MB."""
    import resource

    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e6


if __name__ == "__main__":
    main()
