"""The cluster: an executor on the workers of a Dask scheduler, which queues and retries tasks."""

import functools
import gc
import logging
import pickle
import threading
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import CancelledError, Future
from contextlib import ExitStack, contextmanager, suppress
from typing import Any

import dask
from dask.utils import parse_timedelta
from distributed import Client, Reschedule, Worker, WorkerPlugin, get_worker
from distributed.client import ClosedClientError
from distributed.scheduler import KilledWorker
from threadpoolctl import threadpool_limits

from experiments.environment import DISTRIBUTION, changes, signature
from experiments.errors import InputError, SweepsError, WorkersError
from experiments.evaluation import HELD, after_epoch, stored
from experiments.evaluation.held import call_holding
from nnreg import Splits
from sweeps.executors.local import Later, ProcessExecutor, WorkerDied, Workers

CONNECT = 10.0  # seconds within which a scheduler that is there answers
LOOK = 5.0  # seconds between two looks whether the scheduler is still there
LOOK_AT_TASK = 1.0  # seconds between two looks whether a user's network is still waited for
FORGET = 2.0  # seconds for the workers to drop the data; one that is stopped never answers
LONGEST_SETUP = 5.0  # seconds within which a worker that can take the data has it
LONGEST_TTL = 60.0  # seconds for which the scheduler should wait for a worker that is cut off
SHORTEST_TIMEOUT = 11  # seconds; Dask asserts it
LOGGERS = ("distributed", "distributed.client")  # what they would log, we say as an error


class SweepPlugin(WorkerPlugin):
    """What Dask gives to every worker, whenever it comes: the data of a study, and one BLAS thread,
    because the bits of a product depend on how many it has.

    A user's own network is trained in a process beside each thread of the worker: Dask draws random
    numbers in its own process at any time, and the directory of a process is one for all threads.
    """

    def __init__(self, name: str, splits: Splits, in_processes: bool) -> None:
        self.name, self._splits, self._in_processes = name, splits, in_processes
        self._awaited: set[Any] = set()  # keys of the tasks that run here for somebody
        self.ready = False

    def setup(self, worker: Worker) -> None:
        threadpool_limits(1)
        HELD[self.name] = self._splits
        self._beside: dict[int, ProcessExecutor] = {}  # by thread
        self._closing = ExitStack()
        self._folder = ""
        if self._in_processes:
            self._folder = self._closing.enter_context(stored(self._splits))
        self.ready = True

    def teardown(self, worker: Worker) -> None:
        HELD.pop(self.name, None)
        self._awaited.clear()
        for process in list(self._beside.values()):
            process.shutdown()
        self._closing.close()

    def transition(self, key: Any, start: str, finish: str, **kwargs: Any) -> None:
        if finish == "executing":
            self._awaited.add(key)
        elif start == "executing":
            self._awaited.discard(key)

    def make(self, call: bytes) -> tuple[Mapping[str, str], Any]:
        """Return this worker's signature, and what the call returns.

        Dask forgets a task that was cancelled and lets it run on. Ours ends with its epoch, so that
        a worker is not kept for hours by what nobody waits for.
        """
        key = str(get_worker().get_current_task())

        def end_if_cancelled() -> None:
            if key not in self._awaited:
                raise Reschedule  # Dask's word for a call that has no result

        if self._in_processes:
            return signature(), self._made_beside(pickle.loads(call), end_if_cancelled)
        with after_epoch(end_if_cancelled):
            return signature(), pickle.loads(call)()

    def _made_beside(self, call: Callable[[], Any], end_if_cancelled: Callable[[], None]) -> Any:
        thread = threading.get_ident()
        process = self._beside.setdefault(thread, ProcessExecutor(1))
        future = process.submit(call_holding, call, self.name, self._folder)
        while True:
            try:
                return future.result(LOOK_AT_TASK)
            except TimeoutError:
                if future.done():  # the call raised it
                    raise
            try:
                end_if_cancelled()
            except Reschedule:
                self._beside.pop(thread).shutdown()
                raise


def _task() -> Callable[[str, bytes], tuple[str, Any]]:
    """Make what Dask is given. Defined in here it travels by value, and the call as bytes, so the
    scheduler need not have our package, and a worker without it can say so.
    """

    def sweeps_task(plugin: str, call: bytes) -> tuple[str, Any]:
        import time

        from distributed import get_worker

        worker, deadline = get_worker(), time.monotonic() + LONGEST_SETUP
        while time.monotonic() < deadline:
            there: Any = worker.plugins.get(plugin)
            if there and there.ready:
                return worker.address, there.make(call)
            time.sleep(0.05)  # it may be on its way
        return worker.address, None

    return sweeps_task


class ClusterExecutor(Workers):
    """An executor on the workers of a Dask cluster.

    A worker that differs from this process in what numbers depend on ends the sweep, unless `mixed`
    hardware was allowed. Calls are made `in_processes` of their own, where a user's code is run.
    `note` gets what a person should know. Raises WorkersError if no scheduler answers, InputError
    if Dask's configuration cannot be used.
    """

    def __init__(
        self,
        address: str,
        *,
        mixed: bool = False,
        in_processes: bool = False,
        note: Callable[[str], None] = print,
    ) -> None:
        self._address, self._mixed, self._note = address, mixed, note
        self._in_processes = in_processes
        timeout = parse_timedelta(dask.config.get("distributed.comm.timeouts.tcp"))
        if timeout < SHORTEST_TIMEOUT:
            raise InputError(
                f"distributed.comm.timeouts.tcp is {timeout:g} s in Dask's configuration; it must"
                f" be at least {SHORTEST_TIMEOUT} s: correct it there"
            )
        self._muted = ExitStack()
        for logger in map(logging.getLogger, LOGGERS):
            self._muted.callback(logger.setLevel, logger.level)
            logger.setLevel(logging.CRITICAL)
        failure = None
        try:
            self._client = Client(address, timeout=CONNECT, set_as_default=False, name="sweeps")
        except (OSError, RuntimeError, TypeError) as error:
            failure = _not_connected(address, error)
        if failure:
            self._muted.close()
            gc.collect()  # Dask's client, which would wait for ever if the next one's start did it
            raise failure
        self._plugin = ""
        self._executor = self._client.get_executor()
        self.mixture: set[str] = set()

    @property
    def size(self) -> int:
        """How many tasks the workers that are there now run at a time."""
        with self._answering():
            threads: dict[str, int] = self._client.nthreads()
        return max(1, sum(threads.values()))

    @contextmanager
    def holding(self, splits: Splits, study: str) -> Iterator[str]:
        """Give the splits to every worker inside the block; the first one is waited for."""
        with self._answering():
            self._await_worker()
        self._plugin = f"sweeps-{study}"  # a study has one driver, and the next one replaces it
        with suppress(Exception):  # a worker that could not take it says so at its first task
            self._client.register_plugin(SweepPlugin(self._plugin, splits, self._in_processes))
        try:
            yield self._plugin
        finally:
            forget = threading.Thread(target=self._forget, daemon=True)
            forget.start()
            forget.join(FORGET)

    def _forget(self) -> None:
        with suppress(Exception):
            self._client.unregister_worker_plugin(self._plugin)

    def _await_worker(self) -> None:
        key = "distributed.scheduler.worker-ttl"
        ttl = parse_timedelta(self._client.run_on_scheduler(dask.config.get, key))
        if ttl is None or ttl > LONGEST_TTL:
            self._note(
                f"the scheduler waits {'for ever' if ttl is None else f'{ttl:g} s'} for a worker"
                " whose host was cut off; better start it with"
                " DASK_DISTRIBUTED__SCHEDULER__WORKER_TTL=60s"
            )
        if not self._client.nthreads():
            self._note(f"no worker has joined {self._address} yet; waiting for the first one")
            self._client.wait_for_workers(1)

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        """Submit a call of an importable function, inside the block of `holding`."""
        call = pickle.dumps(functools.partial(fn, *args, **kwargs))
        with self._answering():  # Dask's executor fetches results as soon as they are there
            future = self._executor.submit(_task(), self._plugin, call, pure=False)
        return Later(functools.partial(self._result, future))

    def _result(self, future: "Future[Any]") -> Any:
        try:
            with self._answering():
                worker, answer = self._awaited(future)
        except KilledWorker as error:
            workers = error.allowed_failures + 1
            what = f"{workers} workers of the cluster ended, perhaps out of memory"
            raise WorkerDied(what, workers) from None
        if answer is None:
            raise WorkersError(
                f"worker {worker} cannot take the data; install {DISTRIBUTION} there, as it is here"
            )
        there, result = answer
        found = changes(signature(), there)
        if found and not self._mixed:
            raise WorkersError(
                f"worker {worker} differs from this machine ({found}), so its numbers may differ in"
                " their last bits; make them alike, or allow it with --mixed-hardware, which is"
                " recorded on the study"
            )
        self.mixture.update([found] if found else [])
        return result

    def _awaited(self, future: "Future[Any]") -> Any:
        """Wait for a result. Dask never ends one that it was fetching when the scheduler ended."""
        while True:
            try:
                return future.result(LOOK)
            except TimeoutError:
                if self._client.status == "closed" and not future.done():
                    raise

    @contextmanager
    def _answering(self) -> Iterator[None]:
        try:
            yield
        except (CancelledError, ClosedClientError, OSError):  # none of our tasks raises an OSError
            raise WorkersError(
                f"the scheduler at {self._address} does not answer any more; what was recorded is"
                " kept. When it is back, continue with the same command"
            ) from None

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Leave the cluster, where what was asked for is cancelled."""
        self._client.close(timeout=CONNECT)
        self._muted.close()


def _not_connected(address: str, error: Exception) -> SweepsError:
    if isinstance(error, FileNotFoundError | RuntimeError | TypeError):
        return InputError(
            f"--cluster {address}: {error}; correct the address, or what Dask's configuration"
            " (distributed.comm) has of TLS, with absolute paths of PEM files"
        )
    return WorkersError(
        f"no Dask scheduler answers at {address} ({str(error).splitlines()[0]}); start one with:"
        " dask scheduler, or correct --cluster"
    )
