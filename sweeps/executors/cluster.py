"""The cluster: an executor whose tasks run on the workers of a Dask scheduler; to queue and to
retry is Dask's.
"""

import functools
import hashlib
import math
import pickle
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import CancelledError, Future, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import astuple
from types import TracebackType
from typing import Any, Self

import numpy as np

from experiments.errors import WorkersError
from experiments.signature import DISTRIBUTION, differences, signature
from nnreg import Split
from sweeps.executors import cluster_worker
from sweeps.executors.cluster_client import CONNECT, connect
from sweeps.executors.evaluator import ATTEMPTS
from sweeps.executors.local import WorkerDied, Workers

LOOK = 1.0  # seconds between two looks for a first worker
SLOWEST_FORGET = 2.0  # seconds
LONGEST_TTL = 60.0  # seconds; a worker whose host was cut off is waited for so long
MOST_AT_ONCE = 4_096  # tasks in flight, each of which has a thread here that waits for it


class ClusterExecutor(ThreadPoolExecutor, Workers):
    """An executor on the workers of a Dask cluster. Left by an exception (Ctrl-C), it cancels what
    is there of it.

    Every worker is introduced before its first task: it is given the data, which so travels to each
    one once, and asked what its numbers depend on. One that differs from this process ends the
    sweep, unless `mixed` hardware was allowed.

    Dask runs a task again whose worker died; one that has ended all workers it met raises
    WorkerDied. Raises InputError where the address or the installation is wrong, WorkersError where
    no scheduler answers.
    """

    def __init__(
        self, address: str, *, mixed: bool = False, note: Callable[[str], None] = print
    ) -> None:
        self._address, self._mixed, self._note = address, mixed, note
        self._client = connect(address)
        super().__init__(MOST_AT_ONCE, thread_name_prefix="cluster")
        self._splits: dict[str, Split] = {}
        self._introducing: dict[str, threading.Lock] = {}
        self._given: dict[str, float] = {}  # when a worker was
        self._begun: dict[str, int] = {}  # by a call's name how many workers have begun it
        self._futures: dict[str, Any] = {}
        self._topic = f"sweeps-{uuid.uuid4().hex}"
        self._client.subscribe_topic(self._topic, self._count)
        self.mixture: set[str] = set()

    def __enter__(self) -> Self:
        """Wait for a first worker."""
        self._await_workers(self._note)
        return self

    @property
    def size(self) -> int:
        """How many tasks the workers that are there now run at a time."""
        with self._answering():
            threads: dict[str, int] = self._client.nthreads()
        return max(1, sum(threads.values()))

    @contextmanager
    def holding(self, split: Split, study: str) -> Iterator[str]:
        """Have every worker that is given a task hold a split, in this block, under the key that is
        given.
        """
        digest = hashlib.sha256()
        for array in astuple(split):
            digest.update(np.ascontiguousarray(array).data)
        key = digest.hexdigest()
        self._splits[key] = split
        try:
            yield key
        finally:
            del self._splits[key]
            with suppress(
                Exception
                # one that is stopped never answers; what is left behind is one of few that a worker
                # keeps
            ):
                super().submit(self._client.run, cluster_worker.forget, [key]).result(
                    SLOWEST_FORGET
                )

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        """As any executor; `fn` must be importable there."""
        return super().submit(self._call, functools.partial(fn, *args, **kwargs))

    def _call(self, function: Callable[[], Any]) -> Any:
        from distributed.scheduler import KilledWorker

        name = uuid.uuid4().hex
        self._begun[name] = 0
        try:
            while True:
                call = pickle.dumps(
                    functools.partial(
                        cluster_worker.call, self._topic, name, tuple(self._splits), function
                    )
                )
                asked = time.monotonic()
                with self._answering():
                    # Not pure: Dask would give back what it remembers of the same call.
                    future = self._futures[name] = self._client.submit(_task(), call, pure=False)
                    lacking, result = future.result()
                if lacking:
                    raise WorkersError(
                        f"worker {result} cannot make a call ({lacking}); install {DISTRIBUTION}"
                        " there, as it is here"
                    )
                if not isinstance(result, cluster_worker.Stranger):
                    return result
                # That worker is not asked for: where all workers end, Dask would never give the
                # task to those that come instead.
                self._introduce(result, asked)
        except KilledWorker as error:
            raise _died(error.allowed_failures + 1) from None
        except WorkersError:
            if self._begun[name] > ATTEMPTS:
                raise _died(ATTEMPTS) from None
            raise
        finally:
            del self._begun[name]
            self._futures.pop(name, None)

    async def _count(self, event: tuple[float, str]) -> None:
        """A worker has begun a call. Dask counts the workers that a task has ended only where they
        ended without a word, and one that its nanny ends for its memory says goodbye; and where a
        worker is there anew, our call is a new task to Dask. Such a call would be tried for ever.
        """
        _, name = event
        if name in self._begun:
            self._begun[name] += 1
            if self._begun[name] > ATTEMPTS:
                await self._futures[
                    name
                ].cancel()  # in the client's loop it is no more than a promise

    @contextmanager
    def _answering(self) -> Iterator[None]:
        """Turns what comes of a scheduler that is gone into one sentence."""
        from distributed.client import ClosedClientError

        try:
            yield
        except (
            CancelledError,
            ClosedClientError,
            OSError,
        ):  # no task raises the last: its data is in memory
            raise WorkersError(
                f"the scheduler at {self._address} does not answer any more; what was recorded is"
                " kept. When it is back, go on with the same command"
            ) from None

    def _introduce(self, stranger: cluster_worker.Stranger, asked: float) -> None:
        """Give a worker the splits that it lacks, unless it was given them since it was asked:
        several answers may say the same. Raises WorkersError where it differs.
        """
        worker = stranger.address
        with self._introducing.setdefault(stranger.worker_id, threading.Lock()):
            if asked < self._given.get(stranger.worker_id, -math.inf):
                return
            splits = {key: self._splits[key] for key in stranger.lacking}
            try:
                answer = self._client.run(cluster_worker.introduce, splits, workers=[worker])[
                    worker
                ]
            except (OSError, KeyError):  # it has left, or died; Dask gives its tasks to others
                return
            self._given[stranger.worker_id] = time.monotonic()
        found = differences(signature(), answer)
        if found and not self._mixed:
            raise WorkersError(
                f"worker {worker} differs from this machine ({found}), so its numbers may differ in"
                " their last bits; make them alike, or allow it with --mixed-hardware, which is"
                " recorded on the study"
            )
        if found:
            self.mixture.add(found)

    def _await_workers(self, note: Callable[[str], None]) -> None:
        # A lambda travels by value: the scheduler need not have our package for it.
        ttl: float | None = self._client.run_on_scheduler(
            lambda dask_scheduler: dask_scheduler.worker_ttl
        )
        if ttl is None or ttl > LONGEST_TTL:
            note(
                f"the scheduler waits {'for ever' if ttl is None else f'{ttl:g} s'} for a worker"
                " whose host was cut off; better start it with"
                " DASK_DISTRIBUTED__SCHEDULER__WORKER_TTL=60s"
            )
        if not self._client.nthreads():
            note(f"no worker has come to {self._address} yet; waiting for the first one")
        while not self._client.nthreads():
            with suppress(TimeoutError):
                self._client.wait_for_workers(1, timeout=LOOK)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> bool | None:
        self.shutdown(wait=kind is None, cancel_futures=True)
        self.hang_up()
        self.shutdown(wait=True)
        return None

    def hang_up(self) -> None:
        """Leave the cluster: what was asked for is cancelled there, and threads that wait for it
        are told.
        """
        self._client.close(timeout=CONNECT)


def _died(workers: int) -> WorkerDied:
    return WorkerDied(f"{workers} workers of the cluster ended, perhaps out of memory", workers)


def _task() -> Callable[[bytes], tuple[str, Any]]:
    """What Dask is given. Made in here it travels by value, and the call as bytes: a worker that is
    sent what it cannot import ends, and so would the next one, one after the other.
    """

    def sweeps_task(call: bytes) -> tuple[str, Any]:
        """What is lacking to make a call, and by whom; or nothing, and what it returns."""
        import pickle

        from distributed import get_worker

        try:
            made = pickle.loads(call)
        except (ImportError, AttributeError) as error:
            return str(error), get_worker().address
        return "", made()

    return sweeps_task
