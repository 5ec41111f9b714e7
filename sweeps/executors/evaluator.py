"""The evaluator: has jobs evaluated by an executor, and retries what a dead worker has lost."""

import logging
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor, Future
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TypeVar

from experiments.evaluation import Evaluated, EvaluationSpec, Job, TrialResult, evaluate
from experiments.evaluation.shared_epoch import with_shared_epoch
from experiments.worker import TRIES
from sweeps.executors.local import WorkerDied

LOST = (WorkerDied, MemoryError)

logger = logging.getLogger(__name__)

Task = Sequence[Job]
Results = Future[list[Evaluated]]
Answer = TypeVar("Answer")


@dataclass(frozen=True)
class Evaluator:
    """Evaluates jobs in tasks of at most `lanes()` networks, as many at a time as the executor has
    workers; a job with more seeds is a task of its own. The lanes are asked for again each time,
    because workers of a cluster come and go.

    A task is lost if its worker dies or memory runs out. Whose fault it was is not known, so each
    of its jobs is tried again in a task of its own. A job that is lost alone is tried again when
    nothing else is in flight, so that it has all of the memory; lost alone three times, it has
    failed, and its neighbours have not. Any other exception is a bug, and is raised.
    """

    executor: Executor
    spec: EvaluationSpec
    lanes: Callable[[], int]

    def evaluate(self, jobs: Sequence[Job]) -> Iterator[Evaluated]:
        """Yield the results in the order of the jobs, each as soon as those before it are there.

        All jobs have as many seeds.
        """
        if self.spec.own and jobs and len(jobs[0].seeds) > 1:
            yield from self._one_by_one(jobs)
            return
        size = max(1, self.lanes() // len(jobs[0].seeds)) if jobs else 1
        tasks = deque(jobs[start : start + size] for start in range(0, len(jobs), size))
        in_flight = deque(self._submit(task) for task in tasks)
        while in_flight:  # what was yielded is not held any longer
            yield from self._results(tasks.popleft(), in_flight.popleft(), list(in_flight))

    def _one_by_one(self, jobs: Sequence[Job]) -> Iterator[Evaluated]:
        """Evaluate each network of users' own jobs in a task of its own, which are long."""
        alone = [one for job in jobs for one in job.alone()]
        results = self.evaluate(alone)
        for job in jobs:
            yield with_shared_epoch([next(results)[0] for _ in job.seeds], self.spec, job)

    def _submit(self, task: Task) -> Results:
        return self.executor.submit(evaluate, self.spec, task)

    def _results(
        self, task: Task, future: Results, in_flight: Sequence[Results]
    ) -> list[Evaluated]:
        try:
            return future.result()
        except LOST as error:
            loss = error
        logger.warning("a task of %d networks was lost: %s", len(task), _reason(loss))
        if len(task) == 1:
            return [self._alone(task, loss, in_flight)]
        futures = [self._submit([job]) for job in task]
        in_flight = [*in_flight, *futures]
        return [
            self._results([job], future, in_flight)[0]
            for job, future in zip(task, futures, strict=True)
        ]

    def _alone(self, task: Task, loss: Exception, in_flight: Sequence[Results]) -> Evaluated:
        """Try a task of one job, lost once already, until its result is there or it has failed."""
        for future in in_flight:
            future.exception()  # waits; what it is matters when it is that task's turn
        started, clock = datetime.now(UTC), time.perf_counter()
        answer = retried(lambda: self._submit(task), loss)
        if not isinstance(answer, str):
            return answer[0]
        failed = TrialResult(
            metrics=None,
            epochs=0,
            best_epoch=0,
            seconds=time.perf_counter() - clock,
            started=started,
            finished=datetime.now(UTC),
            error=answer,
        )
        return (failed,) * len(task[0].seeds)


def retried(submit: Callable[[], Future[Answer]], loss: Exception) -> Answer | str:
    """Submit a call, lost once already, until it is answered or has been lost TRIES times: then
    return how.
    """
    losses, attempts = [_reason(loss)], 1
    while attempts < TRIES:
        try:
            return submit().result()
        except LOST as error:
            losses.append(_reason(error))
            attempts += error.attempts if isinstance(error, WorkerDied) else 1
            logger.warning("a task that ran alone was lost: %s", losses[-1])
    return f"{TRIES} attempts failed: {'; '.join(dict.fromkeys(losses))}"


def _reason(loss: Exception) -> str:
    out_of_memory = isinstance(loss, MemoryError)
    return f"out of memory: {loss}".removesuffix(": ") if out_of_memory else str(loss)
