"""The cluster's faults: real commands, while workers, the scheduler or the driver are killed,
stopped or cut off.
"""

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pandas as pd
import pytest
from distributed import Client

import sweeps
from tests.cluster import TTL, Cluster, cluster
from tests.commands import SWEEPS
from tests.namespaces import host
from tests.processes import started
from tests.sweeps.test_same_table import recorded, tables

TRIALS = 24
EDITS = ["sweep.generation=8", "training.epochs=40"]
ENDLESS = [*EDITS, "training.epochs=1000000"]  # the most there can be: hours
NO_TRACKER = "http://127.0.0.1:9"  # refused at once: what is on MLflow is no part of the comparison
PATIENCE = {
    **os.environ,
    "DASK_DISTRIBUTED__COMM__TIMEOUTS__TCP": "11s",
}  # with a connection that says nothing; 30 s if not set
SOON = 60  # seconds, on a machine that runs other tests too


@pytest.fixture(scope="module")
def expected(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    folder = tmp_path_factory.mktemp("calm")
    sweeps.run(
        "digits",
        trials=TRIALS,
        edits=EDITS,
        workers=1,
        confirm=False,
        directory=folder,
        tracking_uri=NO_TRACKER,
    )
    return tables(folder, "digits")


@pytest.fixture(scope="module")
def dask() -> Iterator[Cluster]:
    with cluster(3) as made:
        yield made


@contextlib.contextmanager
def running(
    folder: Path,
    address: str,
    host: Sequence[str] = (),
    *,
    edits: Sequence[str] = EDITS,
    begun: Callable[[], object] | None = None,
) -> "Iterator[subprocess.Popen[str]]":
    """`sweeps run` on a cluster, from when it has `begun`: trials are recorded, if nothing else is
    said.
    """
    folder.mkdir(exist_ok=True)
    journal = folder / "studies" / "digits.journal"
    command = [
        *host, SWEEPS, "run", "digits", f"--trials={TRIALS}", f"--cluster={address}",
        f"--tracking-uri={NO_TRACKER}", "--no-confirm", *(f"--set={edit}" for edit in edits),
    ]  # fmt: skip
    begun = begun or (lambda: journal.exists() and recorded(journal) > 0)
    with started(command, cwd=folder, env=PATIENCE) as process:
        wait_until(lambda: process.poll() is not None or begun())
        assert process.poll() is None, process.communicate()
        yield process


def wait_until(there: Callable[[], object]) -> None:
    deadline = time.monotonic() + SOON
    while not there():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def tasks(address: str) -> int:
    """How many tasks the scheduler knows."""
    with Client(address, set_as_default=False) as client:
        return int(client.run_on_scheduler(lambda dask_scheduler: len(dask_scheduler.tasks)))


def busy(address: str) -> int:
    """How many tasks the workers run, those among them too that the scheduler does not know any
    more.
    """
    with Client(address, set_as_default=False) as client:
        return sum(client.run(lambda dask_worker: dask_worker.state.executing_count).values())


def test_a_worker_killed_and_one_stopped(
    dask: Cluster, tmp_path: Path, expected: dict[str, bytes]
) -> None:
    """The one that is stopped is waited for as long as the scheduler's worker-ttl, then its tasks
    are another's.
    """
    with running(tmp_path, dask.address) as process:
        dask.worker(0).kill()
        stopped = dask.worker(1)
        stopped.suspend()
        start = time.monotonic()
        try:
            _, error = process.communicate(timeout=300)
        finally:
            with contextlib.suppress(Exception):  # the nanny may have ended it by now
                stopped.resume()
        assert process.returncode == 0, error
    assert time.monotonic() - start > TTL  # it did have a task
    assert "Traceback" not in error
    assert tables(tmp_path, "digits") == expected
    rows = pd.read_csv(tmp_path / "reports" / "digits" / "trials.csv")
    assert list(rows["trial"]) == list(range(TRIALS))


@pytest.mark.parametrize(
    ("number", "status"),
    [(signal.SIGKILL, -signal.SIGKILL), (signal.SIGINT, 130)],
)
def test_what_a_driver_leaves_on_the_cluster_when_it_ends(
    number: int, status: int, dask: Cluster, tmp_path: Path
) -> None:
    """Nothing: what would train for hours ends, and the workers are free for who comes next."""
    dask.await_workers(3)
    with running(
        tmp_path, dask.address, edits=ENDLESS, begun=lambda: busy(dask.address) == 3
    ) as process:
        process.send_signal(number)
        _, error = process.communicate(timeout=SOON)
        assert process.returncode == status, error
    assert "Traceback" not in error
    wait_until(lambda: tasks(dask.address) == busy(dask.address) == 0)


def test_a_host_that_is_cut_off(tmp_path: Path, expected: dict[str, bytes]) -> None:
    """Its tasks are another's when it has not been heard of for worker-ttl. Nobody waits for it at
    the end.
    """
    with host() as far, cluster(1, interface=far.here) as made:
        made.add(host=far.command)
        made.await_workers(2)
        with running(tmp_path, made.address) as process:
            wait_until(lambda: "Starting Worker plugin sweeps-" in made.log("worker", 1))
            far.link("down")
            _, error = process.communicate(timeout=300)
            assert process.returncode == 0, error
    assert tables(tmp_path, "digits") == expected


def test_a_driver_that_is_cut_off(tmp_path: Path) -> None:
    """It says so, and the cluster forgets it, and ends what it has asked for."""
    with host() as far, cluster(1, interface=far.here) as made:
        with running(
            tmp_path,
            made.address,
            far.command,
            edits=ENDLESS,
            begun=lambda: busy(made.address) == 1,
        ) as process:
            far.link("down")
            _, error = process.communicate(timeout=SOON)
            assert process.returncode == 1
            assert "does not answer any more; what was recorded is kept" in error
        wait_until(lambda: tasks(made.address) == busy(made.address) == 0)


def test_a_scheduler_that_ends(tmp_path: Path, expected: dict[str, bytes]) -> None:
    """What was recorded is kept; with a new scheduler the same command continues."""
    with cluster(1) as made:
        with running(tmp_path, made.address) as process:
            assert made.scheduler
            os.killpg(made.scheduler.pid, signal.SIGKILL)
            made.scheduler.wait()
            start = time.monotonic()
            _, error = process.communicate(timeout=SOON)
            assert time.monotonic() - start < 30
        assert process.returncode == 1
        kept = recorded(tmp_path / "studies" / "digits.journal")
        assert 0 < kept < TRIALS
        assert (
            error.strip().splitlines()[-1]
            == f"sweeps: the scheduler at {made.address} does not answer any more; what was"
            " recorded is kept. When it is back, go on with the same command"
        )
        made.begin(port=int(made.address.rpartition(":")[2]))
        made.add()
        with running(tmp_path, made.address) as process:
            assert process.wait(300) == 0
    assert tables(tmp_path, "digits") == expected
