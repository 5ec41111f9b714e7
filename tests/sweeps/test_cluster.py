"""The cluster: the same sweep on the workers of a real Dask scheduler."""

import contextlib
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import psutil
import pytest
from optuna.storages import InMemoryStorage
from threadpoolctl import threadpool_info

import sweeps
from experiments import experiment_file
from experiments.errors import SweepsError, WorkersError
from experiments.spec import Experiment
from nnreg import Split
from sweeps.executors.cluster import ClusterExecutor
from sweeps.executors.cluster_worker import forget
from sweeps.executors.resources import Resources
from sweeps.search.study import open_study
from tests.cluster import ATTEMPTS, Cluster, cluster
from tests.deadly import Danger, Deadly
from tests.sweeps.test_same_table import tables

TRIALS = 12
SPLIT = Split(np.zeros((2, 1)), np.arange(2), np.zeros((2, 1)), np.arange(2))
OTHER_KERNEL = "Nehalem"  # any x86 processor can run it


def small() -> Experiment:
    edits = [
        "training.epochs=3",
        "model.hidden=[7]",
        "sweep.generation=6",
        "confirm.seeds=2",
        "confirm.top=1",
    ]
    return experiment_file.load("iris", edits)


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


def test_the_same_tables_as_on_one_machine(
    dask: Cluster, tmp_path: Path, tracking_uri: str
) -> None:
    """Confirmation and model included; and the data goes to each worker once, though one is asked
    for two tasks at a time.
    """
    for name, resources in (
        ("cluster", {"cluster": dask.address, "lanes": 1}),
        ("here", {"workers": 1}),
    ):
        sweep = sweeps.run(
            small(),
            trials=TRIALS,
            directory=tmp_path / name,
            tracking_uri=tracking_uri,
            **resources,
        )
        assert sweep.record.mixed_hardware == ()
    assert tables(tmp_path / "cluster") == tables(tmp_path / "here")
    reports = [tmp_path / name / "reports" / "iris" for name in ("cluster", "here")]
    assert len({(folder / "confirm.csv").read_bytes() for folder in reports}) == 1
    assert len({(folder / "model.npz").read_bytes() for folder in reports}) == 1
    assert [
        dask.log("worker", number).count("Run out-of-band function 'introduce'")
        for number in range(3)
    ] == [1, 1, 1]


@pytest.fixture(scope="module")
def lone() -> Iterator[Cluster]:
    """One worker, whose nanny ends it where it takes too much memory, and starts it anew whatever
    it ended by.
    """
    with cluster(0) as made:
        made.add("--memory-limit=600MB")
        made.await_workers(1)
        yield made


@pytest.mark.parametrize(
    ("where", "way"), [("dask", "SIGKILL"), ("lone", "SIGKILL"), ("lone", "hog")]
)
def test_a_job_that_ends_every_worker_fails_alone(
    where: str,
    way: str,
    request: pytest.FixtureRequest,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    tracking_uri: str,
) -> None:
    """Of three workers Dask counts; for one that comes again as another we do, and one ended for
    its memory Dask never counts.
    """
    proposals = open_study(InMemoryStorage(), "", "s", small()).propose()
    (tmp_path / "losses").mkdir()
    danger = Danger(str(tmp_path / "losses"), (proposals[2].lambdas,), way)
    make = Resources.open
    monkeypatch.setattr(Resources, "open", lambda *arguments: Deadly(make(*arguments), danger))
    made: Cluster = request.getfixturevalue(where)
    made.await_workers(len(made.nannies))  # those of the test before may be about to come again
    sweep = sweeps.run(
        small(),
        trials=6,
        lanes=1,
        cluster=made.address,
        confirm=False,
        directory=tmp_path,
        tracking_uri=tracking_uri,
    )
    assert [trial.state for trial in sweep.record.trials] == [
        "COMPLETE",
        "COMPLETE",
        "FAIL",
        "COMPLETE",
        "COMPLETE",
        "COMPLETE",
    ]
    assert (
        sweep.record.trials[2].error
        == f"{ATTEMPTS} attempts failed: {ATTEMPTS} workers of the cluster ended, perhaps out of"
        " memory"
    )
    assert danger.lost in (
        ATTEMPTS,
        ATTEMPTS + 1,
    )  # that one too many has begun may be how it is known


def test_a_worker_that_differs_is_named_or_recorded(tmp_path: Path, tracking_uri: str) -> None:
    where = {"directory": tmp_path, "tracking_uri": tracking_uri, "confirm": False}
    with cluster(0) as made:
        made.add(OPENBLAS_CORETYPE=OTHER_KERNEL)
        made.await_workers(1)
        with pytest.raises(
            WorkersError,
            match=(
                r"worker tcp://127.0.0.1:\d+ differs .*blas: .* ->"
                rf" .*{OTHER_KERNEL}.*--mixed-hardware"
            ),
        ):
            sweeps.run(small(), trials=6, cluster=made.address, **where)
        sweep = sweeps.run(small(), trials=6, cluster=made.address, mixed_hardware=True, **where)
    (difference,) = sweep.record.mixed_hardware
    assert OTHER_KERNEL in difference
    assert (
        "Trained on mixed hardware" in (tmp_path / "reports" / "iris" / "report.html").read_text()
    )


def test_a_worker_without_the_package_is_told_what_to_install() -> None:
    with cluster(0) as made:
        preload = made.folder / "blocked.py"
        preload.write_text(
            "import sys\nsys.modules['sweeps'] = None\n"
        )  # as where it is not installed
        made.add(f"--preload={preload}")
        made.await_workers(1)
        with (
            pytest.raises(
                WorkersError,
                match=(
                    r"^worker tcp://\S+ cannot make a call \(.*sweeps.*\); install nnreg-sweeps"
                    r" there"
                ),
            ),
            ClusterExecutor(made.address) as executor,
        ):
            executor.submit(len, ()).result()


def test_workers_may_come_later() -> None:
    """Started as somebody likes; BLAS has one thread in them all the same. What is unwise of the
    scheduler is said.
    """
    notes = []
    with cluster(0, ttl=300) as made:

        def come(note: str) -> None:
            notes.append(note)
            if note.startswith("no worker"):
                made.add("--no-nanny", threads=2, OPENBLAS_NUM_THREADS="3")

        with ClusterExecutor(made.address, note=come) as executor, executor.holding(SPLIT, "study") as key:
            assert executor.size == 2
            libraries = executor.submit(threadpool_info).result()
            executor.submit(
                forget, [key]
            ).result()  # as where other drivers gave it more than a worker keeps
            assert executor.submit(len, "abc").result() == 3
    assert notes == [
        (
            "the scheduler waits 300 s for a worker whose host was cut off; better start it with "
            "DASK_DISTRIBUTED__SCHEDULER__WORKER_TTL=60s"
        ),
        f"no worker has come to {made.address} yet; waiting for the first one",
    ]
    assert {one["num_threads"] for one in libraries if one["user_api"] == "blas"} == {1}


def test_who_is_interrupted_waits_for_nobody() -> None:
    """Neither for a task, nor for a worker that is to forget the data and does not answer."""

    def interrupted(address: str, worker: psutil.Process) -> None:
        with ClusterExecutor(address) as executor, executor.holding(SPLIT, "study"):
            assert executor.submit(len, "abc").result() == 3
            executor.submit(time.sleep, 60)
            worker.suspend()
            raise KeyboardInterrupt

    with cluster(1, ttl=60) as made:
        worker, start = made.worker(0), time.monotonic()
        with pytest.raises(KeyboardInterrupt):
            interrupted(made.address, worker)
        assert time.monotonic() - start < 30


@pytest.mark.parametrize(
    ("resources", "words"),
    [
        (
            {"cluster": "host"},
            "--cluster host: not the address of a Dask scheduler; write tcp://host:8786",
        ),
        ({"cluster": "http://host:8786"}, "not the address"),
        ({"cluster": "tcp://host"}, "not the address"),
        ({"cluster": "tls://127.0.0.1:1"}, "TLS needs certificates"),
        (
            {"cluster": "tcp://127.0.0.1:1", "workers": 2},
            "workers is 2, but a cluster has workers of its own",
        ),
        ({"mixed_hardware": True}, "mixed_hardware is for a cluster"),
        ({"cluster": "tcp://127.0.0.1:1"}, "no Dask scheduler answers at tcp://127.0.0.1:1"),
        (
            {"cluster": "tcp://nobody.invalid:1"},
            "no Dask scheduler answers at tcp://nobody.invalid:1 ([Errno -",
        ),
    ],
)
def test_what_cannot_be_is_one_sentence(
    resources: dict[str, object], words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sweeps.executors.cluster_client.CONNECT", 0.5)
    with pytest.raises(SweepsError) as raised, contextlib.chdir(tmp_path):
        sweeps.run("iris", trials=1, **resources)
    assert words in str(raised.value)
