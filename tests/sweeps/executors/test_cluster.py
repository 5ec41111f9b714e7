"""The cluster: the same sweep on the workers of a real Dask scheduler."""

import contextlib
import logging
import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import psutil
import pytest
from dask import config
from threadpoolctl import threadpool_info

import sweeps
from experiments import experiment_file
from experiments.errors import InputError, SweepsError, WorkersError
from experiments.evaluation import load_splits
from experiments.spec import Experiment
from nnreg import Split, Splits
from sweeps.executors.cluster import LOGGERS, ClusterExecutor
from sweeps.executors.resources import Resources
from sweeps.search.study import open_study
from tests.cluster import ATTEMPTS, Cluster, cluster
from tests.deadly import Danger, Deadly
from tests.sweeps.test_same_table import tables

TRIALS = 12
SPLIT = Split(np.zeros((2, 1)), np.arange(2), np.zeros((2, 1)), np.arange(2))
OTHER_KERNEL = "Nehalem"  # any x86 processor can run it


def small() -> Experiment:
    return experiment_file.load(
        "iris",
        ["training.epochs=3", "model.hidden=[7]", "sweep.baseline=4", "sweep.generation=6",
         "confirm.seeds=2", "confirm.top=1"],
    )  # fmt: skip


@pytest.fixture(scope="module")
def dask() -> Iterator[Cluster]:
    """Three workers, one of which runs two tasks at a time."""
    with cluster(0) as made:
        for threads in (1, 1, 2):
            made.add(threads=threads)
        made.await_workers(3)
        yield made


@pytest.fixture(scope="module")
def tracking_uri(tmp_path_factory: pytest.TempPathFactory) -> str:
    return f"sqlite:///{tmp_path_factory.mktemp('tracking')}/mlflow.db"


@pytest.mark.usefixtures("tracker_here")
def test_the_same_tables_as_on_one_machine(
    dask: Cluster, tmp_path: Path, tracking_uri: str
) -> None:
    """Confirmation and model included. The data goes to each worker once."""
    before = [logging.getLogger(name).level for name in LOGGERS]
    for name, resources in (
        ("cluster", {"cluster": dask.address, "lanes": 1}),
        ("here", {"workers": 1}),
    ):
        folder = tmp_path / name
        sweep = sweeps.run(
            small(), trials=TRIALS, directory=folder, tracking_uri=tracking_uri, **resources
        )
        assert sweep.record.mixed_hardware == ()
    assert tables(tmp_path / "cluster") == tables(tmp_path / "here")
    reports = [tmp_path / name / "reports" / "iris" for name in ("cluster", "here")]
    for file in ("confirm.csv", "model.npz"):
        assert len({(folder / file).read_bytes() for folder in reports}) == 1
    given = [
        dask.log("worker", number).count("Starting Worker plugin sweeps-") for number in range(3)
    ]
    assert given == [1, 1, 1]
    assert [logging.getLogger(name).level for name in LOGGERS] == before


@pytest.fixture(scope="module")
def lone() -> Iterator[Cluster]:
    """One worker, whose nanny ends it when it takes too much memory, and always starts another."""
    with cluster(0) as made:
        made.add("--memory-limit=600MB")
        made.await_workers(1)
        yield made


@pytest.mark.usefixtures("tracker_here")
@pytest.mark.parametrize(("where", "way"), [("dask", "SIGKILL"), ("lone", "hog")])
def test_a_job_that_ends_every_worker_fails_alone(
    where: str,
    way: str,
    request: pytest.FixtureRequest,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    tracking_uri: str,
) -> None:
    """Killed by the system, or ended by its nanny for its memory. A neighbour that met the same
    workers is tried again alone, too, and does not fail.
    """
    proposals = open_study(str(tmp_path / "s.journal"), "s", small()).propose()
    (tmp_path / "losses").mkdir()
    danger = Danger(str(tmp_path / "losses"), (proposals[2].setting,), way)
    make = Resources.open
    monkeypatch.setattr(Resources, "open", lambda *arguments: Deadly(make(*arguments), danger))
    made: Cluster = request.getfixturevalue(where)
    made.await_workers(len(made.nannies))
    sweep = sweeps.run(
        small(), trials=6, lanes=1, cluster=made.address, confirm=False,
        directory=tmp_path, tracking_uri=tracking_uri,
    )  # fmt: skip
    states = [trial.state for trial in sweep.record.trials]
    assert states == ["COMPLETE", "COMPLETE", "FAIL", "COMPLETE", "COMPLETE", "COMPLETE"]
    ended = f"{ATTEMPTS} workers of the cluster ended, perhaps out of memory"
    assert sweep.record.trials[2].error == f"{ATTEMPTS} attempts failed: {ended}"
    assert danger.lost == 2 * ATTEMPTS  # once among others, once alone


@pytest.mark.usefixtures("tracker_here")
def test_a_worker_that_differs_is_named_or_recorded(tmp_path: Path, tracking_uri: str) -> None:
    where = {"directory": tmp_path, "tracking_uri": tracking_uri, "confirm": False}
    named = rf"worker tcp://127.0.0.1:\d+ differs .*blas: .* -> .*{OTHER_KERNEL}.*--mixed-hardware"
    with cluster(0) as made:
        made.add(OPENBLAS_CORETYPE=OTHER_KERNEL)
        made.await_workers(1)
        with pytest.raises(WorkersError, match=named):
            sweeps.run(small(), trials=6, cluster=made.address, **where)
        sweep = sweeps.run(small(), trials=6, cluster=made.address, mixed_hardware=True, **where)
    (difference,) = sweep.record.mixed_hardware
    assert OTHER_KERNEL in difference
    page = (tmp_path / "reports" / "iris" / "report.html").read_text()
    assert "Trained on mixed hardware" in page


def test_a_worker_without_the_package_is_named() -> None:
    with cluster(0) as made:
        preload = made.folder / "blocked.py"
        preload.write_text("import sys\nsys.modules['sweeps'] = None\n")  # as if not installed
        made.add(f"--preload={preload}")
        made.await_workers(1)
        with (
            pytest.raises(
                WorkersError, match=r"^worker tcp://\S+ cannot take the data; install nnreg-sweeps"
            ),
            ClusterExecutor(made.address) as executor,
            executor.holding(Splits((SPLIT,)), "study"),
        ):
            executor.submit(len, ()).result()


def test_workers_may_come_later() -> None:
    """They are given the data too, and BLAS has one thread in them, however they were started. A
    scheduler that would wait for too long is mentioned.
    """
    notes = []
    with cluster(0, ttl=300) as made:

        def come(note: str) -> None:
            notes.append(note)
            if note.startswith("no worker"):
                made.add("--no-nanny", threads=2, OPENBLAS_NUM_THREADS="3")

        with (
            ClusterExecutor(made.address, note=come) as executor,
            executor.holding(Splits((SPLIT,)), "study") as key,
        ):
            assert executor.size == 2
            libraries = executor.submit(threadpool_info).result()
            made.add()
            made.await_workers(2)
            os.killpg(made.nannies[0].pid, signal.SIGKILL)
            splits = executor.submit(load_splits, key).result()
            np.testing.assert_array_equal(splits.folds[0].x_train, SPLIT.x_train)
    assert {one["num_threads"] for one in libraries if one["user_api"] == "blas"} == {1}
    assert notes == [
        "the scheduler waits 300 s for a worker whose host was cut off; better start it with"
        " DASK_DISTRIBUTED__SCHEDULER__WORKER_TTL=60s",
        f"no worker has joined {made.address} yet; waiting for the first one",
    ]


def test_who_is_interrupted_waits_for_nobody() -> None:
    """Neither for a task, nor for a worker that is to drop the data and does not answer."""

    def interrupted(address: str, worker: psutil.Process) -> None:
        with ClusterExecutor(address) as executor, executor.holding(Splits((SPLIT,)), "study"):
            assert executor.submit(len, "abc").result() == 3
            executor.submit(time.sleep, 60)
            worker.suspend()
            raise KeyboardInterrupt

    with cluster(1, ttl=60) as made:
        worker, start = made.worker(0), time.monotonic()
        with pytest.raises(KeyboardInterrupt):
            interrupted(made.address, worker)
        assert time.monotonic() - start < 30


def test_a_timeout_that_dask_refuses_is_one_sentence() -> None:
    says = (
        r"^distributed.comm.timeouts.tcp is 5 s in Dask's configuration; it must be at least 11 s"
    )
    with config.set({"distributed.comm.timeouts.tcp": "5s"}), pytest.raises(InputError, match=says):
        ClusterExecutor("tcp://127.0.0.1:1")


@pytest.mark.parametrize(
    ("resources", "words"),
    [
        ({"cluster": "http://host:8786"}, "--cluster http://host:8786: not the address of a Dask"),
        ({"cluster": "tcp://host"}, "not the address of a Dask scheduler; write tcp://host:8786"),
        ({"cluster": "tls://127.0.0.1:1"}, "check your TLS configuration?"),
        ({"cluster": "tcp://127.0.0.1:1", "workers": 2}, "a cluster has workers of its own"),
        ({"mixed_hardware": True}, "mixed_hardware is for a cluster"),
        ({"cluster": "tcp://127.0.0.1:1"}, "no Dask scheduler answers at tcp://127.0.0.1:1 (Timed"),
    ],
)
def test_what_cannot_be_is_one_sentence(
    resources: dict[str, object], words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sweeps.executors.cluster.CONNECT", 0.5)
    with pytest.raises(SweepsError) as raised, contextlib.chdir(tmp_path):
        sweeps.run("iris", trials=1, **resources)
    assert words in str(raised.value)
