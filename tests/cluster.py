"""A real Dask cluster of the tests' own: a scheduler and workers, each a process of its own on a
loopback address.
"""

import contextlib
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from tests.processes import spawned
from tests.servers import SLOWEST_START

ROOT = Path(__file__).parents[1]
TTL = 3  # seconds after which a worker that is not heard of is gone
ATTEMPTS = 3  # workers that a task may end
SETTINGS = {
    "DASK_DISTRIBUTED__SCHEDULER__ALLOWED_FAILURES": str(ATTEMPTS - 1),
    "DASK_DISTRIBUTED__COMM__TIMEOUTS__TCP": "11s",
    "DASK_DISTRIBUTED__ADMIN__TICK__LIMIT": "60s",  # no word of a busy machine
}


@dataclass
class Cluster:
    """The scheduler's address, and its processes. `folder` has their logs; `ttl` is in seconds."""

    folder: Path
    ttl: int = TTL
    interface: str = "127.0.0.1"
    address: str = ""
    scheduler: "subprocess.Popen[bytes] | None" = None
    nannies: "list[subprocess.Popen[bytes]]" = field(default_factory=list)

    def start(self, *arguments: str, environ: Mapping[str, str]) -> "subprocess.Popen[bytes]":
        """A process of Dask's command."""
        log = (self.folder / f"{arguments[0]}-{len(self.nannies)}.log").open("ab")
        variables = {**os.environ, "PYTHONPATH": str(ROOT), **SETTINGS, **environ}
        dask = str(Path(sys.executable).with_name("dask"))
        command = [dask, *arguments, "--dashboard-address=127.0.0.1:0"]
        with log:
            return subprocess.Popen(
                command, cwd=self.folder, env=variables, stdout=log, stderr=log,
                start_new_session=True,
            )  # fmt: skip

    def add(self, *options: str, threads: int = 1, **environ: str) -> None:
        """One more worker, which a nanny starts again when it dies; it need not have come yet."""
        folder = self.folder / f"worker-{len(self.nannies)}"
        arguments = ["worker", self.address, f"--nthreads={threads}", f"--host={self.interface}"]
        self.nannies.append(
            self.start(*arguments, f"--local-directory={folder}", *options, environ=environ)
        )

    def worker(self, number: int) -> psutil.Process:
        """The process of a worker that trains: its nanny's child."""
        deadline = time.monotonic() + SLOWEST_START
        while True:
            if found := spawned(self.nannies[number].pid, "spawn_main"):
                return found[0]
            assert time.monotonic() < deadline, self.log("worker", number)
            time.sleep(0.05)

    def log(self, kind: str, number: int = 0) -> str:
        """What a process has said."""
        return (self.folder / f"{kind}-{number}.log").read_text()

    def await_workers(self, count: int) -> None:
        """Wait until so many workers have come."""
        from distributed import Client

        with Client(self.address, set_as_default=False) as client:
            client.wait_for_workers(count, timeout=SLOWEST_START)

    def begin(self, port: int = 0) -> None:
        """Start the scheduler on an address of this machine, and wait until it tells the whole of
        it.
        """
        told = self.folder / "scheduler.json"
        told.unlink(missing_ok=True)
        arguments = (f"--host={self.interface}", f"--port={port}", f"--scheduler-file={told}")
        limit = {"DASK_DISTRIBUTED__SCHEDULER__WORKER_TTL": f"{self.ttl}s"}
        self.scheduler = self.start("scheduler", *arguments, environ=limit)
        deadline = time.monotonic() + SLOWEST_START
        while not told.exists() or not told.read_text().strip().endswith("}"):
            assert self.scheduler.poll() is None, self.log("scheduler")
            assert time.monotonic() < deadline, self.log("scheduler")
            time.sleep(0.05)
        self.address = json.loads(told.read_text())["address"]

    def end(self) -> None:
        """Kill every process with its group, which has the children of nannies too."""
        processes = [process for process in (self.scheduler, *self.nannies) if process]
        for process in processes:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, 9)
        for process in processes:
            process.wait()


@contextlib.contextmanager
def cluster(workers: int, interface: str = "127.0.0.1", ttl: int = TTL) -> Iterator[Cluster]:
    """A cluster whose workers have come, until the end of the block."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        made = Cluster(Path(folder), ttl, interface)
        try:
            made.begin()
            for _ in range(workers):
                made.add()
            if workers:
                made.await_workers(workers)
            yield made
        finally:
            made.end()
