"""The executors: where tasks are evaluated; each is a concurrent.futures executor with one BLAS
thread a task.

A call whose process died raises WorkerDied, and the executor takes further calls.
"""

import functools
import os
from collections.abc import Callable, Collection
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from contextlib import AbstractContextManager
from types import TracebackType
from typing import Any

from experiments.errors import WorkersError
from experiments.evaluation import one_thread, stored
from nnreg import Split
from sweeps.executors.worker_process import WorkerProcess


class Workers(Executor):
    """An executor whose tasks find the data that it holds; `mixture` is in what ways its processes
    differ from this one.
    """

    mixture: Collection[str] = ()

    @property
    def size(self) -> int:
        """How many tasks run at a time."""
        return 1

    def hang_up(self) -> None:
        """Let go of whatever is there before the executor is entered."""

    def holding(self, split: Split) -> AbstractContextManager[str]:
        """What `EvaluationSpec.arrays` is to be for this split, in the block. Raises
        DirectoryError, WorkersError.
        """
        return stored(split)


def make(workers: int) -> Workers:
    """The executor for so many workers: this process alone, or a pool of processes."""
    return InlineExecutor() if workers == 1 else ProcessExecutor(workers)


def cores() -> int:
    """How many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


class InlineExecutor(Workers):
    """Evaluates in this process, when a result is asked for."""

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        """The call as a future that is made when its result is asked for."""
        return _Call(fn, args, kwargs)


class _Call(Future[Any]):
    def __init__(
        self, fn: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> None:
        super().__init__()
        self._call = functools.partial(fn, *args, **kwargs)

    def result(self, timeout: float | None = None) -> Any:
        self._make()
        return super().result(timeout)

    def exception(self, timeout: float | None = None) -> BaseException | None:
        self._make()
        return super().exception(timeout)

    def _make(self) -> None:
        if self.done():
            return
        try:
            with (
                one_thread()
            ):  # the same numbers as in a worker: they differ between one and four BLAS threads
                self.set_result(self._call())
        except Exception as error:  # kept, as any future keeps it
            self.set_exception(error)


class ProcessExecutor(ThreadPoolExecutor, Workers):
    """A pool of spawned workers. Left by an exception (Ctrl-C), it ends them at once and waits for
    nothing.

    Each worker has a thread here that waits for it. So a worker that dies takes along the one call
    that it was making, and not its neighbours', as in ProcessPoolExecutor, where one death breaks
    the pool and nobody knows whose call it was.
    """

    def __init__(self, workers: int) -> None:
        super().__init__(workers, thread_name_prefix="worker")
        self._workers = [WorkerProcess() for _ in range(workers)]
        self._free = list(self._workers)

    @property
    def size(self) -> int:
        return len(self._workers)

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        """As any executor. Raises WorkersError where the system gives no thread."""
        try:
            return super().submit(self._call, functools.partial(fn, *args, **kwargs))
        except RuntimeError as error:
            raise WorkersError(
                f"no worker can be started: {error}; free some memory, or try fewer with --workers"
            ) from None

    def _call(self, call: Callable[[], Any]) -> Any:
        # there are as many as threads; the last one used comes first, so no more start than are
        # needed
        free = self._free.pop()
        try:
            return free.call(call)
        finally:
            self._free.append(free)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> bool | None:
        if kind is None:
            self.shutdown(wait=True)
        else:
            self.shutdown(wait=False, cancel_futures=True)
        for process in self._workers:
            process.end()
        self.shutdown(wait=True)
        return None
