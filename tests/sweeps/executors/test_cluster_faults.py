"""The cluster's faults: workers, a scheduler and drivers that are killed, stopped or cut off."""

import contextlib
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import psutil
import pytest
from distributed import Client, Scheduler

import sweeps
from experiments.errors import WorkersError
from experiments.records import TrialRecord
from sweeps.progress import Progress
from tests.cluster import TTL, Cluster, cluster
from tests.commands import SWEEPS
from tests.namespaces import host
from tests.processes import started
from tests.sweeps.test_same_table import recorded, tables

TRIALS = 12
EDITS = ["sweep.baseline=4", "sweep.generation=4", "training.epochs=3"]
SOON = 60  # seconds, on a machine that runs other tests too


class AtFirst(Progress):
    """Does something when the first trial is recorded."""

    def __init__(self, act: Callable[[], object]) -> None:
        super().__init__()
        self._act = act

    def add(self, trial: TrialRecord) -> None:
        super().add(trial)
        if trial.trial == 0:
            self._act()


@pytest.fixture(scope="module")
def tracking_uri(tmp_path_factory: pytest.TempPathFactory, made: Path) -> str:
    return f"sqlite:///{shutil.copy(made, tmp_path_factory.mktemp('tracking'))}"


@pytest.fixture(scope="module")
def run(tracking_uri: str, tracker_here: None) -> Callable[..., sweeps.Sweep]:
    """A sweep in this process: three generations, one network per task."""

    def run(folder: Path, act: Callable[[], object] = int, **where: object) -> sweeps.Sweep:
        return sweeps.run(
            "iris", trials=TRIALS, edits=EDITS, lanes=1,
            confirm=False, directory=folder, tracking_uri=tracking_uri, progress=AtFirst(act),
            **where,
        )  # fmt: skip

    return run


@pytest.fixture(scope="module")
def expected(
    tmp_path_factory: pytest.TempPathFactory, run: Callable[..., sweeps.Sweep]
) -> dict[str, bytes]:
    folder = tmp_path_factory.mktemp("calm")
    run(folder, workers=1)
    return tables(folder)


@pytest.fixture(scope="module")
def dask() -> Iterator[Cluster]:
    with cluster(3) as made:
        yield made


@contextlib.contextmanager
def endless(
    folder: Path, made: Cluster, host: Sequence[str] = ()
) -> "Iterator[subprocess.Popen[str]]":
    """`sweeps run`, in a process that would train for hours, from when every worker does."""
    command = [
        *host, SWEEPS, "run", "iris", f"--cluster={made.address}", "--set=training.epochs=1000000",
        "--no-confirm", "--tracking-uri=http://127.0.0.1:9",
    ]  # fmt: skip
    # How long a connection that says nothing is waited for: the shortest that Dask takes.
    environ = {**os.environ, "DASK_DISTRIBUTED__COMM__TIMEOUTS__TCP": "11s"}
    with started(command, cwd=folder, env=environ) as process, asking(made) as client:
        wait_until(lambda: process.poll() is not None or busy(client) == len(made.nannies))
        assert process.poll() is None, process.communicate()
        yield process


def asking(made: Cluster) -> Client:
    return Client(made.address, set_as_default=False)


def wait_until(there: Callable[[], object]) -> None:
    deadline = time.monotonic() + SOON
    while not there():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def busy(client: Client) -> int:
    """How many tasks the workers run, those among them too that the scheduler does not know any
    more.
    """
    return sum(client.run(lambda dask_worker: dask_worker.state.executing_count).values())


def known_tasks(dask_scheduler: Scheduler) -> int:
    return len(dask_scheduler.tasks)


def await_idle(made: Cluster) -> None:
    """Wait until no task is known to the scheduler, or runs in a worker."""
    with asking(made) as client:
        wait_until(lambda: client.run_on_scheduler(known_tasks) == busy(client) == 0)


def test_a_worker_killed_and_one_stopped(
    dask: Cluster, tmp_path: Path, expected: dict[str, bytes], run: Callable[..., sweeps.Sweep]
) -> None:
    """The one that is stopped is waited for as long as the scheduler's worker-ttl, then its tasks
    are another's.
    """
    killed, stopped = dask.worker(0), dask.worker(1)

    def act() -> None:
        killed.kill()
        stopped.suspend()

    start = time.monotonic()
    try:
        run(tmp_path, act, cluster=dask.address)
    finally:
        with contextlib.suppress(psutil.Error):  # the nanny may have ended it by now
            stopped.resume()
    assert time.monotonic() - start > TTL  # it did have a task
    assert tables(tmp_path) == expected


@pytest.mark.parametrize(
    ("number", "status"),
    [(signal.SIGKILL, -signal.SIGKILL), (signal.SIGINT, 130)],
)
def test_what_a_driver_leaves_on_the_cluster_when_it_ends(
    number: int, status: int, dask: Cluster, tmp_path: Path
) -> None:
    """Nothing: what would train for hours ends, and the workers are free for who comes next."""
    dask.await_workers(3)
    with endless(tmp_path, dask) as process:
        process.send_signal(number)
        _, error = process.communicate(timeout=SOON)
    assert process.returncode == status, error
    assert "Traceback" not in error
    await_idle(dask)


def test_a_driver_that_is_cut_off(tmp_path: Path) -> None:
    """It says so, and the cluster forgets it, and ends what it has asked for."""
    with host() as far, cluster(1, interface=far.here) as made:
        with endless(tmp_path, made, far.command) as process:
            far.link("down")
            _, error = process.communicate(timeout=SOON)
        assert process.returncode == 1
        assert "does not answer any more; what was recorded is kept" in error
        await_idle(made)


def test_a_scheduler_that_ends(
    tmp_path: Path, expected: dict[str, bytes], run: Callable[..., sweeps.Sweep]
) -> None:
    """What was recorded is kept; with a new scheduler the same command continues."""
    ended: list[float] = []
    with cluster(1) as made:

        def end() -> None:
            assert made.scheduler
            os.killpg(made.scheduler.pid, signal.SIGKILL)
            made.scheduler.wait()
            ended.append(time.monotonic())

        with pytest.raises(WorkersError) as raised:
            run(tmp_path, end, cluster=made.address)
        assert time.monotonic() - ended[0] < 30
        assert (
            str(raised.value) == f"the scheduler at {made.address} does not answer any more; what"
            " was recorded is kept. When it is back, continue with the same command"
        )
        assert 0 < recorded(tmp_path / "studies" / "iris.journal") < TRIALS
        made.begin(port=int(made.address.rpartition(":")[2]))
        made.add()
        made.await_workers(1)
        run(tmp_path, cluster=made.address)
    assert tables(tmp_path) == expected
