"""The same table: whatever the workers, the lanes and the interruptions, to the byte but for times
and run ids.
"""

import logging
import shutil
import signal
import subprocess
from contextlib import closing, suppress
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest

import sweeps
from experiments import datasets, experiment_file
from experiments.evaluation import stored
from experiments.reports import files
from experiments.search_section import SAMPLERS
from experiments.spec import Experiment
from sweeps.cli.app import STOPPED
from sweeps.executors import local, resources
from sweeps.executors.evaluator import Evaluator
from sweeps.interrupts import Interrupts
from sweeps.search.driver import drive
from sweeps.search.study_record import importances, study_record
from sweeps.storage.storage import open_storage
from sweeps.workspace import workspace
from tests.commands import SWEEPS
from tests.commands import sweeps as command_again
from tests.processes import started

VARIES = ["seconds", "started", "finished", "mlflow_run_id"]
TRIALS = 24
FOLDED = "tpe"  # the sampler whose trials are cross-validations
GENERATION = 8  # of the search that is interrupted: it is, when one is recorded


def edits(sampler: str) -> list[str]:
    """Small, with a last minibatch and a last generation that are not full."""
    made = [f"sweep.sampler={sampler}", "model.hidden=[9]"]
    made += ["training.epochs=4", "training.batch_size=16"]
    return made + ["data.split.folds=3", "data.split.repeats=2"] * (sampler == FOLDED)


def experiment(sampler: str) -> Experiment:
    return experiment_file.load("iris", edits(sampler))


def search(
    folder: Path,
    definition: Experiment,
    *,
    trials: int = TRIALS,
    workers: int = 1,
    lanes: int = 16,
    compiled: bool = False,
) -> dict[str, bytes]:
    """The tables of a search, without MLflow, whose import would take most of the time."""
    place = workspace(folder)
    data = datasets.load(definition.data, definition.training.dtype)
    with (
        closing(place.open(definition.name, definition)) as opened,
        local.make(workers) as executor,
    ):
        with Interrupts().installed() as interrupts, stored(data.splits) as arrays:
            opened.interrupts = interrupts
            spec = replace(definition.evaluation(arrays), compiled=compiled)
            drive(
                opened,
                Evaluator(executor, spec, lambda: lanes),
                trials=trials,
                observe=lambda trial: None,
            )
        record = study_record(opened.optuna, importances(opened.optuna))
        files.export(record, place.reports_of(definition.name), {})
    return tables(folder, definition.name)


def recorded(place: str | Path) -> int:
    """How many trials a storage holds."""
    storage = open_storage(str(place))
    return sum(len(storage.get_all_trials(study._study_id)) for study in storage.get_all_studies())


def tables(folder: Path, study: str = "iris") -> dict[str, bytes]:
    reports = folder / "reports" / study
    trials = pd.read_csv(reports / "trials.csv", dtype=str, keep_default_na=False).drop(
        columns=VARIES
    )
    return {"trials": trials.to_csv().encode()} | {
        name: (reports / f"{name}.csv").read_bytes() for name in ("history", "lambdas")
    }


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("same")


@pytest.fixture(scope="module")
def tracking(folder: Path, made: Path) -> str:
    """One MLflow database serves all, which saves making it each time."""
    return f"sqlite:///{shutil.copy(made, folder)}"


@pytest.fixture(scope="module", params=SAMPLERS)
def sampler(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def reference(folder: Path, sampler: str) -> dict[str, bytes]:
    return search(folder / f"{sampler}-reference", experiment(sampler), workers=1, lanes=16)


@pytest.mark.parametrize(("workers", "lanes"), [(1, 1), (4, 3)])
def test_workers_lanes_and_compiled_loops_do_not_matter(
    folder: Path, sampler: str, reference: dict[str, bytes], workers: int, lanes: int
) -> None:
    made = search(
        folder / f"{sampler}-{workers}",
        experiment(sampler),
        workers=workers,
        lanes=lanes,
        compiled=workers > 1 and sampler == FOLDED,
    )
    assert made == reference


def test_a_part_and_then_the_rest_is_the_whole(
    folder: Path, sampler: str, reference: dict[str, bytes]
) -> None:
    for trials in (7, TRIALS):
        pieces = search(folder / f"{sampler}-pieces", experiment(sampler), trials=trials, workers=2)
    assert pieces == reference


@pytest.mark.usefixtures("tracker_here")
@pytest.mark.parametrize("sampler", ["tpe"], indirect=True)
def test_a_whole_run_has_that_table(
    folder: Path,
    tracking: str,
    sampler: str,
    reference: dict[str, bytes],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """With lanes as they come, and compiled loops. If fewer trials are asked for than there are,
    all are kept.
    """
    caplog.set_level(logging.INFO, "sweeps")
    monkeypatch.setattr(resources, "WORTH_COMPILING", 1e-3)
    for trials in (TRIALS, 5):
        sweeps.run(
            experiment(sampler), trials=trials, workers=2, directory=folder / "run", confirm=False,
            tracking_uri=tracking,
        )  # fmt: skip
        assert tables(folder / "run") == reference
    assert caplog.messages.count("training in compiled loops") == 1


@pytest.mark.usefixtures("tracker_here")
def test_interrupted_and_continued(folder: Path, tracking: str, tmp_path: Path) -> None:
    """A real command and a real signal, while workers train; test_interrupts has Ctrl-C."""
    journal, trials = tmp_path / "studies" / "digits.journal", 32
    edit = f"sweep.generation={GENERATION}"
    calm = search(folder / "digits", experiment_file.load("digits", [edit]), trials=trials)
    command = [
        "run", "digits", f"--trials={trials}", "--workers=2", "--no-confirm", f"--set={edit}",
        "--tracking-uri", tracking,
    ]  # fmt: skip
    with started([SWEEPS, *command], cwd=tmp_path) as process:
        while not (journal.exists() and recorded(journal)) and process.poll() is None:
            with suppress(subprocess.TimeoutExpired):
                process.wait(0.02)
        process.send_signal(signal.SIGTERM)
        out, error = process.communicate(timeout=60)
    assert (process.returncode, out) == (143, "")
    assert error.endswith(f"{STOPPED}\n")
    assert "Traceback" not in error
    assert 0 < recorded(journal) < trials
    command_again(*command, cwd=tmp_path)
    assert tables(tmp_path, "digits") == calm
