"""The evaluator: has jobs evaluated by an executor, and tries again what a worker that died has
lost.
"""

import logging
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor, Future
from datetime import UTC, datetime

from experiments.evaluation import EvaluationSpec, Job, TrialResult, evaluate
from sweeps.executors.local import WorkerDied

ATTEMPTS = 3
LOST = (WorkerDied, MemoryError)

logger = logging.getLogger(__name__)

Lanes = Callable[
    [], int
]  # workers of a cluster come and go, and each is to have its share of a generation
Task = Sequence[Job]
Results = Future[list[TrialResult]]


class Evaluator:
    """Evaluates jobs in tasks of at most `lanes()`, which is asked anew each time, as many at a
    time as the executor has workers.

    A task is lost where its worker dies or memory runs out. Whose fault it was is not known, so its
    jobs are tried again, each in a task of its own. A job that is lost alone is tried again when
    nothing else is in flight, so that it has all of the memory; lost alone three times, it has
    failed, and its neighbours have not. Any other exception is a bug, and is raised.
    """

    def __init__(self, executor: Executor, spec: EvaluationSpec, lanes: Lanes) -> None:
        self._executor, self._spec, self._lanes, self._most = executor, spec, lanes, sys.maxsize

    def evaluate(self, jobs: Sequence[Job]) -> Iterator[TrialResult]:
        """The results in the order of the jobs, each as soon as those before it are there."""
        lanes = min(self._lanes(), self._most)
        tasks = [jobs[start : start + lanes] for start in range(0, len(jobs), lanes)]
        futures = [self._submit(task) for task in tasks]
        for task, future in zip(tasks, futures, strict=True):
            yield from self._results(task, future, futures)

    def _submit(self, task: Task) -> Results:
        return self._executor.submit(evaluate, self._spec, task)

    def _results(
        self, task: Task, future: Results, in_flight: Sequence[Results]
    ) -> list[TrialResult]:
        try:
            return future.result()
        except LOST as error:
            loss = error
        logger.warning(
            "a task of %d networks was lost: %s; each is tried again alone",
            len(task),
            _reason(loss),
        )
        if len(task) == 1:
            return [self._alone(task, loss, in_flight)]
        singles = [[job] for job in task]
        futures = [self._submit(single) for single in singles]
        in_flight = [*in_flight, *futures]
        results = [
            self._results(*each, in_flight)[0] for each in zip(singles, futures, strict=True)
        ]
        if not any(
            result.error for result in results
        ):  # nobody's fault: perhaps they were too many for the memory
            self._most = min(self._most, len(task) // 2)
            logger.info("from now on %d networks a task", self._most)
        return results

    def _alone(self, task: Task, loss: Exception, in_flight: Sequence[Results]) -> TrialResult:
        """The result of a task of one job that was lost once, tried until it is there or has
        failed.
        """
        for future in in_flight:
            future.exception()  # waits; what it is matters when it is that task's turn
        losses, attempts = [loss], _attempts(loss)
        started, clock = datetime.now(UTC), time.perf_counter()
        while attempts < ATTEMPTS:
            try:
                return self._submit(task).result()[0]
            except LOST as error:
                losses.append(error)
                attempts += _attempts(error)
                logger.warning(
                    "attempt %d of %d at a network was lost: %s", attempts, ATTEMPTS, _reason(error)
                )
        return TrialResult(
            metrics=None,
            epochs=0,
            seconds=time.perf_counter() - clock,
            started=started,
            finished=datetime.now(UTC),
            error=f"{attempts} attempts failed: {'; '.join(dict.fromkeys(map(_reason, losses)))}",
        )


def _attempts(loss: Exception) -> int:
    return loss.attempts if isinstance(loss, WorkerDied) else 1


def _reason(loss: Exception) -> str:
    return (
        f"out of memory: {loss}".removesuffix(": ") if isinstance(loss, MemoryError) else str(loss)
    )
