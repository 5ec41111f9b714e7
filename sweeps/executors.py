"""The executors: where tasks are evaluated; each is a concurrent.futures executor with one BLAS thread a task."""

import os
from collections.abc import Callable
from concurrent.futures import Executor, Future, ProcessPoolExecutor
from multiprocessing.connection import wait
from multiprocessing.context import SpawnContext, SpawnProcess
from types import TracebackType
from typing import Any

from experiments import worker


def make(workers: int) -> Executor:
    """The executor for so many workers: this process alone, or a pool of processes."""
    return InlineExecutor() if workers == 1 else ProcessExecutor(workers)


def cores() -> int:
    """How many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


class InlineExecutor(Executor):
    """Evaluates in this process, when a result is asked for."""

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        """The call as a future that is made when its result is asked for."""
        return _Call(fn, args, kwargs)


class _Call(Future[Any]):
    def __init__(self, fn: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        super().__init__()
        self._call = fn, args, kwargs

    def result(self, timeout: float | None = None) -> Any:
        from threadpoolctl import threadpool_limits

        if not self.done():
            fn, args, kwargs = self._call
            with threadpool_limits(1):  # the same numbers as in a worker: they differ between one and four BLAS threads
                self.set_result(fn(*args, **kwargs))
        return super().result(timeout)


class ProcessExecutor(ProcessPoolExecutor):
    """A pool of spawned workers. Left by an exception (Ctrl-C), it ends them at once and waits for nothing."""

    def __init__(self, workers: int) -> None:
        self._context = _Context()
        with worker.spawning():  # its locks are made by the same helper process of multiprocessing's as another thread's start
            super().__init__(workers, mp_context=self._context, initializer=worker.start)

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        """As any executor; this is where a pool starts its workers."""
        with worker.spawning():
            return super().submit(fn, *args, **kwargs)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> bool | None:
        if kind is not None:
            self.shutdown(wait=False, cancel_futures=True)
            started = [process for process in self._context.made if process.pid is not None]
            for process in started:
                process.kill()  # not terminate(): one that is stopped would not hear it
            for process in started:
                wait([process.sentinel])  # not join(): the pool's own thread does that
        self.shutdown(wait=True)
        return None


class _Context(SpawnContext):
    """A spawn context that remembers the processes it made."""

    def __init__(self) -> None:
        self.made: list[SpawnProcess] = []

    def Process(self, *args: Any, **kwargs: Any) -> SpawnProcess:  # type: ignore[override]  # a class there
        process = SpawnProcess(*args, **kwargs)
        self.made.append(process)
        return process
