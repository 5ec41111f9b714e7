"""Deadly trials: an evaluation that really ends its worker for chosen settings, and an executor
that has it made.
"""

import os
import signal
import time
import uuid
from collections.abc import Sequence
from concurrent.futures import Future
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Never

from experiments.evaluation import Evaluated, EvaluationSpec, Job, Setting, evaluate
from nnreg import Splits
from sweeps.executors.local import Workers

PIECE, PAUSE = 20_000_000, 0.02  # bytes, and seconds between them


@dataclass(frozen=True)
class Danger:
    """Who dies, how, and when: at most so many `times`, and among at least so many jobs. Each loss
    leaves a file in `losses`.
    """

    losses: str
    victims: tuple[Setting, ...] = ()
    way: str = "SIGKILL"
    times: int = 1_000
    company: int = 1

    @property
    def lost(self) -> int:
        """How many tasks were lost."""
        return len(list(Path(self.losses).iterdir()))


def evaluate_or_die(danger: Danger, spec: EvaluationSpec, jobs: Sequence[Job]) -> list[Evaluated]:
    if (
        {job.setting for job in jobs} & set(danger.victims)
        and len(jobs) >= danger.company
        and danger.lost < danger.times
    ):
        (Path(danger.losses) / uuid.uuid4().hex).touch()
        if danger.way == "MemoryError":
            raise MemoryError("Unable to allocate 8.00 TiB")
        if danger.way == "exit":
            os._exit(3)
        if danger.way == "hog":
            _hog()
        os.kill(os.getpid(), getattr(signal, danger.way))
    return evaluate(spec, jobs)


def _hog() -> Never:
    """Take ever more memory, at a pace at which somebody who watches can end this before the system
    does.
    """
    taken = []
    while True:
        taken.append(b"x" * PIECE)
        time.sleep(PAUSE)


class Deadly(Workers):
    """An executor whose evaluations are dangerous."""

    def __init__(self, executor: Workers, danger: Danger) -> None:
        self._executor, self._danger = executor, danger

    @property
    def size(self) -> int:
        return self._executor.size

    def holding(self, splits: Splits, study: str) -> AbstractContextManager[str]:
        return self._executor.holding(splits, study)

    def submit(self, fn: Any, /, *args: Any, **kwargs: Any) -> Future[Any]:
        assert fn is evaluate
        return self._executor.submit(evaluate_or_die, self._danger, *args, **kwargs)

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        self._executor.shutdown()
