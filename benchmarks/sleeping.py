"""The sleeping cluster: a real Dask scheduler and real Dask workers, where tasks sleep in place of
training.

    python -m benchmarks.sleeping ADDRESS WORKERS

is one process of it. Many workers share a process, because they sleep; each has its own connection
and its own heartbeat.
"""

import asyncio
import json
import os
import subprocess
import sys
import time
from concurrent.futures import Future
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

from benchmarks.growth import made_up
from sweeps.executors.cluster import ClusterExecutor

A_PROCESS = 32  # workers
SLOWEST_START = 120.0  # seconds
SETTINGS = {
    "DASK_DISTRIBUTED__SCHEDULER__WORKER_TTL": "60s",
    # a thread per worker, which elsewhere has a core of its own
    "DASK_DISTRIBUTED__WORKER__PROFILE__ENABLED": "False",
    "DASK_DISTRIBUTED__ADMIN__TICK__LIMIT": "60s",  # no word of a busy machine
}


class SleepingExecutor(ClusterExecutor):
    """The executor on a cluster, whose evaluations take `seconds` per trial."""

    seconds = 0.0

    def submit(self, fn: Any, /, *args: Any, **kwargs: Any) -> Future[Any]:
        return super().submit(slept, self.seconds, *args)


def slept(seconds: float, spec: Any, jobs: Any) -> list[Any]:
    """As `evaluate`: takes its time, and measures nothing."""
    time.sleep(seconds * len(jobs))
    return [(made_up(job, spec.config.epochs),) for job in jobs]


class Cluster:
    """A scheduler, as `dask scheduler` starts it, and its workers, of one thread each; they end
    with the stack.
    """

    def __init__(self, folder: Path, stack: ExitStack) -> None:
        self._folder, self._stack, self._workers = folder, stack, 0
        told = folder / "scheduler.json"
        dask = str(Path(sys.executable).with_name("dask"))
        here = ("--host=127.0.0.1", "--port=0", "--dashboard-address=127.0.0.1:0")
        self._start(dask, "scheduler", *here, f"--scheduler-file={told}")
        self.address = self._told(told)

    def grow(self, workers: int) -> None:
        """Have so many workers, and wait until they have come."""
        from distributed import Client

        while self._workers < workers:
            count = min(A_PROCESS, workers - self._workers)
            self._start(sys.executable, "-m", "benchmarks.sleeping", self.address, str(count))
            self._workers += count
        with Client(self.address, set_as_default=False) as client:
            client.wait_for_workers(self._workers, timeout=SLOWEST_START)

    def _start(self, *command: str) -> None:
        with (self._folder / "cluster.log").open("ab") as log:
            process = subprocess.Popen(
                command, cwd=self._folder, env={**os.environ, **SETTINGS}, stdout=log, stderr=log
            )
        self._stack.callback(process.wait)
        self._stack.callback(process.kill)

    def _told(self, path: Path) -> str:
        deadline = time.monotonic() + SLOWEST_START
        while time.monotonic() < deadline:
            with suppress(OSError, ValueError):  # it is not there, or not whole
                return str(json.loads(path.read_text())["address"])
            time.sleep(0.05)
        raise TimeoutError(
            f"the scheduler did not start: {(self._folder / 'cluster.log').read_text()}"
        )


async def work(address: str, count: int) -> None:
    from distributed import Worker

    workers = [Worker(address, nthreads=1, memory_limit=0, host="127.0.0.1") for _ in range(count)]
    await asyncio.gather(*workers)
    await asyncio.gather(*(worker.finished() for worker in workers))


if __name__ == "__main__":
    asyncio.run(work(sys.argv[1], int(sys.argv[2])))
