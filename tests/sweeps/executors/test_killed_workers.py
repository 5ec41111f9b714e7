"""Whole sweeps whose workers are killed: the same table, and a trial that kills its workers is FAIL
wherever it is shown.
"""

import contextlib
import shutil
import sys
import time
from pathlib import Path

import pandas as pd
import psutil
import pytest
from mlflow import MlflowClient

import sweeps
from experiments import experiment_file
from sweeps.cli import output
from sweeps.executors import local
from sweeps.search.study import open_study
from tests.commands import SWEEPS
from tests.deadly import Danger, Deadly
from tests.processes import started
from tests.sweeps.test_same_table import recorded, search, tables

KILLS = 2
NO_TRACKER = "http://127.0.0.1:9"  # refused at once: what is on MLflow is no part of the comparison


@pytest.fixture(scope="module")
def tracking_uri(tmp_path_factory: pytest.TempPathFactory, made: Path) -> str:
    """One MLflow database for all, which saves making it each time."""
    return f"sqlite:///{shutil.copy(made, tmp_path_factory.mktemp('tracking'))}"


def training(driver: psutil.Process) -> list[psutil.Process]:
    """The workers that have the arrays of the data mapped: the process that writes to MLflow has
    not.
    """
    found = []
    for child in driver.children():
        with contextlib.suppress(OSError):  # it has just ended
            if "x_train.npy" in Path(f"/proc/{child.pid}/maps").read_text():
                found.append(child)
    return found


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells what a process has mapped")
def test_workers_killed_while_they_train(tmp_path: Path) -> None:
    """A real command. A worker is killed when it has begun, another when trials are recorded."""
    edits, trials, killed = ["sweep.generation=8"], 24, list[psutil.Process]()
    folder = tmp_path / "killed"
    folder.mkdir()
    journal = folder / "studies" / "digits.journal"
    command = [
        SWEEPS, "run", "digits", f"--trials={trials}", "--workers=2", "--no-confirm",
        f"--set={edits[0]}", f"--tracking-uri={NO_TRACKER}",
    ]  # fmt: skip
    with started(command, cwd=folder) as process:
        driver = psutil.Process(process.pid)
        while process.poll() is None and len(killed) < KILLS:
            done = recorded(journal) if journal.exists() else 0
            for worker in training(driver)[:1] if done >= len(killed) else []:
                worker.kill()
                killed.append(worker)
            time.sleep(0.01)  # between two looks
        error = process.communicate(timeout=120)[1]
    assert (process.returncode, len(killed)) == (0, KILLS), error
    assert "Traceback" not in error
    calm = search(tmp_path / "calm", experiment_file.load("digits", edits), trials=trials)
    assert tables(folder, "digits") == calm


@pytest.mark.usefixtures("tracker_here")
@pytest.mark.parametrize("victims", [[0, 2], [0, 1, 2, 3]])
def test_failed_trials_are_shown_everywhere(
    victims: list[int],
    tmp_path: Path,
    tracking_uri: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    edits = ["training.epochs=2", "model.hidden=[5]", "sweep.generation=4"]
    definition = experiment_file.load("iris", edits)
    proposals = open_study(str(tmp_path / "s.journal"), "s", definition).propose()
    (tmp_path / "losses").mkdir()
    danger = Danger(
        str(tmp_path / "losses"), tuple(proposals[number].lambdas for number in victims)
    )
    make = local.make
    monkeypatch.setattr(local, "make", lambda workers: Deadly(make(workers), danger))
    sweep = sweeps.run(
        definition, trials=4, directory=tmp_path, workers=2, confirm=False,
        tracking_uri=tracking_uri,
    )  # fmt: skip
    output.print_run(sweep)

    rows = pd.read_csv(tmp_path / "reports" / "iris" / "trials.csv", keep_default_na=False)
    failed = rows["state"] == "FAIL"
    assert (len(rows), list(rows["trial"][failed])) == (4, victims)
    reason = "3 attempts failed: its worker was killed by SIGKILL, perhaps out of memory"
    assert set(rows["error"][failed]) == {reason}
    assert set(rows["error"][~failed]) <= {""}
    assert f"{len(victims)} of 4 trials failed" in capsys.readouterr().out
    client = MlflowClient(tracking_uri)
    shown = [client.get_run(run).info.status == "FAILED" for run in rows["mlflow_run_id"]]
    assert shown == list(failed)
    assert (tmp_path / "reports" / "iris" / "report.html").exists()
