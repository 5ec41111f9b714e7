"""The same table: whatever the workers, the lanes and the interruptions, to the byte but for times and run ids."""

import contextlib
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pytest

import sweeps
from experiments import experiment_file
from experiments.spec import SAMPLERS, Experiment
from sweeps.storage import open_storage
from tests.postgres import Postgres, running_postgres

VARIES = ["seconds", "started", "finished", "mlflow_run_id"]
TRIALS = 24


def experiment(sampler: str) -> Experiment:
    """Small, but with everything in it: minibatches with a remainder, a generation that the trials do not fill."""
    return experiment_file.load(
        "iris", [f"sweep.sampler={sampler}", "training.epochs=4", "training.batch_size=16", "model.hidden=[9]"]
    )


def run(
    folder: Path, sampler: str, *, trials: int = TRIALS, workers: int = 1, lanes: int | None = None, storage: str | None = None
) -> dict[str, bytes]:
    """The tables of a run in a folder, as bytes; one MLflow database serves all, which saves making it each time."""
    sweeps.run(
        experiment(sampler), trials=trials, workers=workers, lanes=lanes, directory=folder, confirm=False,
        storage=storage, tracking_uri=f"sqlite:///{folder.parent}/mlflow.db",
    )  # fmt: skip
    return tables(folder)


def recorded(journal: Path) -> int:
    """How many trials a journal holds."""
    storage = open_storage(str(journal))
    return sum(len(storage.get_all_trials(study._study_id)) for study in storage.get_all_studies())


def tables(folder: Path, study: str = "iris") -> dict[str, bytes]:
    reports = folder / "reports" / study
    trials = pd.read_csv(reports / "trials.csv", dtype=str, keep_default_na=False).drop(columns=VARIES)
    return {"trials": trials.to_csv().encode()} | {
        name: (reports / f"{name}.csv").read_bytes() for name in ("history", "lambdas")
    }


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("same")


@pytest.fixture(scope="module", params=SAMPLERS)
def sampler(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def reference(folder: Path, sampler: str) -> dict[str, bytes]:
    return run(folder / f"{sampler}-reference", sampler, workers=1, lanes=16)


@pytest.fixture(scope="module")
def server() -> Iterator[Postgres]:
    with running_postgres() as server:
        yield server


@pytest.mark.parametrize(("workers", "lanes"), [(1, 1), (2, None), (4, 3)])
def test_workers_and_lanes_do_not_matter(
    folder: Path, sampler: str, reference: dict[str, bytes], workers: int, lanes: int | None
) -> None:
    assert run(folder / f"{sampler}-{workers}-{lanes}", sampler, workers=workers, lanes=lanes) == reference


def test_a_part_and_then_the_rest_is_the_whole(folder: Path, sampler: str, reference: dict[str, bytes]) -> None:
    for trials in (7, TRIALS):
        pieces = run(folder / f"{sampler}-pieces", sampler, trials=trials, workers=2)
    assert pieces == reference


@pytest.mark.parametrize("sampler", ["tpe"], indirect=True)
def test_so_it_is_on_postgresql(folder: Path, sampler: str, reference: dict[str, bytes], server: Postgres) -> None:
    url = server.database(sampler)
    for trials in (7, TRIALS):
        pieces = run(folder / f"{sampler}-postgresql", sampler, trials=trials, storage=url)
    assert pieces == reference


def test_fewer_trials_than_there_are_keeps_them_all(folder: Path) -> None:
    for trials in (5, 3):
        run(folder / "fewer", "random", trials=trials)
    assert len(pd.read_csv(folder / "fewer" / "reports" / "iris" / "trials.csv")) == 5


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_interrupted_and_continued(folder: Path, tmp_path: Path, number: signal.Signals) -> None:
    """A real command and a real signal, while workers train."""
    edits = ["sweep.generation=8"]
    journal = tmp_path / "studies" / "digits.journal"
    command = [str(Path(sys.executable).with_name("sweeps")), "run", "digits", "--trials", "60", "--workers", "2", "--no-confirm"]
    command += [f"--set={edit}" for edit in edits] + [f"--tracking-uri=sqlite:///{folder}/mlflow.db"]
    process = subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    while not (journal.exists() and recorded(journal)) and process.poll() is None:
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(0.02)
    process.send_signal(number)
    out, error = process.communicate(timeout=60)
    assert (process.returncode, out) == (128 + number, "")
    assert "trials are kept" in error
    assert "Traceback" not in error
    assert 0 < recorded(journal) < 60
    subprocess.run(command, cwd=tmp_path, check=True, capture_output=True)
    sweeps.run(
        "digits",
        trials=60,
        edits=edits,
        workers=1,
        confirm=False,
        directory=folder / f"whole-{number}",
        tracking_uri=f"sqlite:///{folder}/mlflow.db",
    )
    assert tables(tmp_path, "digits") == tables(folder / f"whole-{number}", "digits")
