"""What does a sweep cost beside its training?

    python -m benchmarks.overhead [--tiny] [--trials N] [--long N]

The command `sweeps run` with a stopwatch around its parts, and then the same tasks once more
through as many workers that are there already: the training alone, without proposals, storage,
MLflow and reports.
"""

import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import ExitStack, chdir, contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass, replace
from io import StringIO
from typing import Any
from unittest.mock import patch

from benchmarks.command import SECOND, P, R, begin, head, in_child, row

WORKERS = 4


@dataclass(frozen=True)
class Split:
    """Seconds of the command, of its parts, and of the training alone."""

    wall: float
    parts: dict[str, float]
    alone: float


def main() -> None:
    arguments = begin(
        __doc__,
        trials=(1_000, "trials of the tiny net"),
        long=(320, "trials that train for a second each"),
    )
    if arguments.tiny:
        show("digits", 8, ("training.epochs=2",), 8.0)
    else:
        show("digits", arguments.trials, (), 8.0)
        show("trials of a second", arguments.long, SECOND, 1.1)


def show(name: str, trials: int, edits: tuple[str, ...], goal: float) -> None:
    split = in_child(measure, trials, edits, time.time())
    head(f"{name}, {trials:,} trials, {WORKERS} workers", "seconds")
    for part, seconds in split.parts.items():
        row(part, f"{seconds:.2f}")
    row("the whole", f"{split.wall:.2f}")
    row(
        f"training alone ({WORKERS * split.alone / trials:.3f} s per trial on its worker)",
        f"{split.alone:.2f}",
    )
    row("the whole against the training alone", f"{split.wall / split.alone:.2f}", f"<= {goal:g}")


def measure(trials: int, edits: tuple[str, ...], begun: float) -> Split:
    """The split of a sweep; `begun` is when its process was asked for, so that starting Python
    counts too.
    """
    from sweeps import cli

    watch, tasks = Watch(begun), list[tuple[Any, Any]]()
    command = [
        "sweeps",
        "run",
        "digits",
        "--no-confirm",
        f"--trials={trials}",
        f"--workers={WORKERS}",
    ]
    sys.argv = [*command, *(f"--set={edit}" for edit in edits)]
    said = StringIO()
    with (
        tempfile.TemporaryDirectory() as folder,
        chdir(folder),
        redirect_stdout(said),
        redirect_stderr(said),
    ):
        try:
            with watch.installed(tasks):
                cli.main()
        except SystemExit as ended:
            if ended.code:
                raise RuntimeError(
                    f"sweeps run ended with status {ended.code}: {said.getvalue()}"
                ) from None
    wall = time.time() - begun
    return Split(wall, watch.split(wall), alone(tasks, edits))


class Watch:
    """A stopwatch around the parts of `sweeps run`."""

    def __init__(self, begun: float) -> None:
        self._begun = begun
        self._start = 0.0
        self._seconds: dict[str, float] = defaultdict(float)

    @contextmanager
    def installed(self, tasks: list[tuple[Any, Any]]) -> Iterator[None]:
        """Take the time inside this block; the tasks that are sent to the workers come into
        `tasks`.
        """
        from experiments.tracking import Writer
        from sweeps import publish, session
        from sweeps.executors.local import ProcessExecutor
        from sweeps.search.study import Study

        submit, drive = ProcessExecutor.submit, session.drive

        def submit_watched(executor: Any, function: Any, *arguments: Any) -> Any:
            tasks.append(arguments)
            future = submit(executor, function, *arguments)
            future.result = self.timed("waiting", future.result)
            return future

        def drive_watched(*arguments: Any, **named: Any) -> None:
            self._start = time.time() - self._begun
            self.timed("search", drive)(*arguments, **named)

        with ExitStack() as stack:
            for owner, name, watched in (
                (ProcessExecutor, "submit", submit_watched),
                (session, "drive", drive_watched),
                (Study, "propose", self.timed("proposing", Study.propose)),
                (Study, "record", self.timed("recording", Study.record)),
                (Writer, "close", self.timed("writing", Writer.close)),
                (publish, "write_all", self.timed("reports", publish.write_all)),
            ):
                stack.enter_context(patch.object(owner, name, watched))
            yield

    def timed(self, part: str, call: Callable[P, R]) -> Callable[P, R]:
        """The call, with its time added to a part."""

        def watched(*arguments: P.args, **named: P.kwargs) -> R:
            start = time.perf_counter()
            try:
                return call(*arguments, **named)
            finally:
                self._seconds[part] += time.perf_counter() - start

        return watched

    def split(self, wall: float) -> dict[str, float]:
        """The parts of the wall time, which add up to it."""
        taken = self._seconds
        parts = {
            "start: imports, the data, the study": self._start,
            "proposing": taken["proposing"],
            "waiting for training, the workers' start included": taken["waiting"],
            "recording in the journal": taken["recording"],
        }
        parts["the rest of the search: tasks, progress, MLflow's queue"] = (
            self._start + taken["search"] - sum(parts.values())
        )
        parts |= {
            "MLflow, after the search": taken["writing"],
            "reports, kept on MLflow too": taken["reports"],
        }
        return parts | {
            "the workers' end, importances, what is printed": wall - sum(parts.values())
        }


def alone(tasks: list[tuple[Any, Any]], edits: tuple[str, ...]) -> float:
    """Seconds of the tasks on workers that are there and have the data."""
    from experiments import datasets, experiment_file
    from experiments.evaluation import evaluate, stored
    from sweeps.executors import local

    experiment = experiment_file.load("digits", edits)
    splits = datasets.load(experiment.data, experiment.training.dtype).splits
    with stored(splits) as arrays, local.make(WORKERS) as executor:
        specs = [(replace(spec, arrays=arrays), jobs) for spec, jobs in tasks]
        spec, jobs = specs[0]
        quick = replace(spec, config=replace(spec.config, epochs=1))
        for future in [executor.submit(evaluate, quick, jobs) for _ in range(4 * WORKERS)]:
            future.result()
        start = time.perf_counter()
        for future in [executor.submit(evaluate, spec, jobs) for spec, jobs in specs]:
            future.result()
        return time.perf_counter() - start


if __name__ == "__main__":
    main()
