"""The executors of this machine: where tasks are evaluated, with one BLAS thread each."""

import functools
import logging
import os
import signal
import threading
from collections.abc import Callable, Collection
from concurrent.futures import BrokenExecutor, Executor, Future, ThreadPoolExecutor
from contextlib import AbstractContextManager, suppress
from typing import Any

from experiments.errors import WorkersError
from experiments.evaluation import one_thread, stored
from experiments.worker import TRIES, Worker, serve
from nnreg import Splits

logger = logging.getLogger(__name__)


class WorkerDied(BrokenExecutor):
    """The process ended in a call; `attempts` is how many did. The executor takes further calls."""

    def __init__(self, how: str, attempts: int = 1) -> None:
        super().__init__(how)
        self.attempts = attempts


class Workers(Executor):
    """An executor whose tasks find a split; `mixture` says in what ways its processes differ from
    this one. To shut it down ends what is still being trained.
    """

    mixture: Collection[str] = ()
    heard: Callable[[int], object] = int  # with the epochs that a slow task has done so far

    @property
    def size(self) -> int:
        return 1

    def holding(self, splits: Splits, study: str) -> AbstractContextManager[str]:
        """Yield `EvaluationSpec.arrays` for splits. Raises DirectoryError, WorkersError."""
        return stored(splits)


class Later(Future[Any]):
    """The result of a call that is made when the result is asked for."""

    def __init__(self, call: Callable[[], Any]) -> None:
        super().__init__()
        self._call = call

    def result(self, timeout: float | None = None) -> Any:
        self._make()
        return super().result(timeout)

    def exception(self, timeout: float | None = None) -> BaseException | None:
        self._make()
        return super().exception(timeout)

    def _make(self) -> None:
        if not self.done():
            try:
                self.set_result(self._call())
            except Exception as error:  # kept, as any future keeps it
                self.set_exception(error)


class InlineExecutor(Workers):
    """Evaluates in this process, when a result is asked for."""

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        return Later(one_thread()(functools.partial(fn, *args, **kwargs)))


class ProcessExecutor(ThreadPoolExecutor, Workers):
    """A pool of processes, each with a thread here that waits for it.

    So a process that dies takes along the one call that it was making. In ProcessPoolExecutor one
    death breaks the pool, and nobody knows whose call it was.
    """

    def __init__(self, workers: int) -> None:
        super().__init__(workers, thread_name_prefix="worker")
        self._workers = workers
        self._own = threading.local()
        self._started: list[Worker] = []
        self._starting = threading.Lock()  # held while one is started, and when the last has been
        self._over = False

    @property
    def size(self) -> int:
        return self._workers

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        return super().submit(self._make, functools.partial(fn, *args, **kwargs))

    def _make(self, call: Callable[[], Any]) -> Any:
        """Make the call in the thread's own process; its traceback travels as a note."""
        worker: Worker | None = getattr(self._own, "worker", None)
        if worker is None or not worker.alive:  # one that died idle cost nothing
            worker = self._own.worker = self._start()
        try:
            worker.connection.send(call)
            while not isinstance(answer := worker.connection.recv(), tuple):
                self._hear(answer)
            error, result = answer
        except (EOFError, OSError):
            raise WorkerDied(f"its worker {_manner(worker.end())}") from None
        if error is not None:
            error.add_note(f"In a worker:\n{result}")
            raise error
        return result

    def _hear(self, news: str | int) -> None:
        """Take what a worker logs, or how many epochs it has done."""
        if isinstance(news, str):
            logger.info("%s", news)
        else:
            self.heard(news)

    def _start(self) -> Worker:
        """Return a process that is ready. One that is killed before is started again."""
        for _ in range(TRIES):
            try:
                with self._starting:
                    if self._over:
                        raise OSError("the executor was shut down")
                    worker = Worker(serve)
                    self._started.append(worker)
            except OSError as error:
                how = str(error)
                break
            with suppress(EOFError, OSError):
                worker.connection.recv()  # it is ready
                return worker
            how = f"one {_manner(status := worker.end())}"
            if status >= 0:
                break
        raise WorkersError(
            f"no worker process can be started: {how}; free some memory, or try fewer with"
            " --workers"
        )

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Kill the processes, whatever they do: they keep nothing, so nothing is lost."""
        with self._starting:
            self._over = True
        for worker in self._started:
            worker.kill()
        super().shutdown(wait=True, cancel_futures=True)
        for worker in self._started:
            worker.end()


def _manner(exit_code: int) -> str:
    if exit_code >= 0:
        return f"ended with exit code {exit_code}"
    names = {each.value: each.name for each in signal.Signals}
    hint = ", perhaps out of memory" if exit_code == -signal.SIGKILL else ""
    return f"was killed by {names.get(-exit_code, f'signal {-exit_code}')}{hint}"


def make(workers: int, *, inline: bool = True) -> Workers:
    """Make the executor for so many workers: this process alone, if it may, or processes."""
    return InlineExecutor() if workers == 1 and inline else ProcessExecutor(workers)


def cores() -> int:
    """How many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
