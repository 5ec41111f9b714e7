"""MLflow gone and back while a sweep runs, and several sweeps on one MLflow: the search goes on,
and every run is there, once.
"""

import contextlib
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pandas as pd
import pytest

import sweeps
from experiments.records import TrialRecord
from experiments.tracking import Store
from sweeps.progress import Progress
from tests.commands import SWEEPS
from tests.commands import sweeps as command
from tests.mlflow_reading import study_run, trial_runs
from tests.servers import Running, free_port, running

EDITS = ["training.epochs=2", "sweep.sampler=random"]


class At(Progress):
    """Does something after certain trials were recorded; the search waits for it."""

    def __init__(self, events: dict[int, Callable[[], object]]) -> None:
        super().__init__()
        self.events = events
        self.depths: list[int] = []

    def begin(self, *arguments: object, behind: Callable[[], int], **options: object) -> None:
        self.behind = behind

    def add(self, trial: TrialRecord) -> None:
        if event := self.events.get(trial.trial):
            self.depths.append(self.behind())
            event()


def server(folder: Path, port: int) -> contextlib.AbstractContextManager[Running]:
    command = [sys.executable, "-m", "mlflow", "server", "--workers", "1", "--port", str(port)]
    return running(command, cwd=folder, url=f"http://127.0.0.1:{port}", path="/health")


@pytest.fixture
def served(tmp_path: Path, made: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("MLFLOW_SERVER_ENABLE_JOB_EXECUTION", "false")
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_TIMEOUT", "2")  # 5 where the user does not say
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    (tmp_path / "server").mkdir()
    shutil.copy(made, tmp_path / "server")
    return tmp_path / "server"


def test_a_server_that_is_stopped_killed_and_back_while_a_sweep_runs(
    served: Path, tmp_path: Path
) -> None:
    port = free_port()
    with contextlib.ExitStack() as stack:
        first = stack.enter_context(server(served, port))

        def to_all(number: signal.Signals) -> Callable[[], None]:
            return lambda: os.killpg(first.process.pid, number)

        at = At(
            {
                8: to_all(signal.SIGSTOP),  # silent
                16: to_all(signal.SIGCONT),  # what was asked meanwhile is answered to nobody
                24: to_all(signal.SIGKILL),  # refused
                40: lambda: stack.enter_context(server(served, port)),
            }
        )
        url = f"http://127.0.0.1:{port}"
        sweep = sweeps.run(
            "iris",
            trials=48,
            edits=EDITS,
            workers=1,
            directory=tmp_path / "mine",
            tracking_uri=url,
            progress=at,
            confirm=False,
        )
        assert sweep.runs.error is None
        store = Store(url, "iris", None)
        runs = trial_runs(store, sweep.record.study_uid)
        assert {number: run.info.run_id for number, run in runs.items()} == sweep.runs.ids
        assert sorted(runs) == list(range(48))
        assert {run.info.status for run in runs.values()} == {"FINISHED"}
        assert study_run(store, sweep.record.study_uid).info.status == "FINISHED"
    assert at.depths[3] >= 16  # the search went on without the server


def test_a_sweep_that_ends_without_mlflow_says_what_is_missing_and_sync_writes_it(
    tmp_path: Path, made: Path
) -> None:
    """The file is locked from before the beginning to after the end."""
    shutil.copy(made, tmp_path)
    database = sqlite3.connect(tmp_path / "mlflow.db", isolation_level=None)
    with contextlib.closing(database) as holder:
        holder.execute("BEGIN EXCLUSIVE")
        asked = ["run", "iris", "--trials=20", "--workers=1", "--no-confirm"]
        done = command(*asked, *(f"--set={edit}" for edit in EDITS), cwd=tmp_path)
    assert "database is locked" in done.stderr
    assert "not on MLflow: 20 trials; write what is missing with: sweeps sync iris" in done.stderr
    assert len(pd.read_csv(tmp_path / "reports" / "iris" / "trials.csv")) == 20
    assert command("sync", cwd=tmp_path).stdout.startswith("20 of 20 runs written")


def test_two_sweeps_in_one_directory_on_one_sqlite_file(tmp_path: Path, made: Path) -> None:
    uri = f"sqlite:///{shutil.copy(made, tmp_path)}"

    def run(study: str) -> subprocess.CompletedProcess[str]:
        asked = [SWEEPS, "run", "iris", f"--study={study}", "--trials=24", "--workers=1"]
        asked += ["--no-confirm", f"--tracking-uri={uri}", *(f"--set={edit}" for edit in EDITS)]
        return subprocess.run(asked, cwd=tmp_path, capture_output=True, text=True)

    with ThreadPoolExecutor(2) as pool:
        done = list(pool.map(run, ("one", "two")))
    assert [(one.returncode, "sweeps:" in one.stderr) for one in done] == [(0, False)] * 2, done
    for study in ("one", "two"):
        table = pd.read_csv(tmp_path / "reports" / study / "trials.csv")
        summary = pd.read_csv(tmp_path / "reports" / study / "summary.csv")
        runs = trial_runs(Store(uri, "iris", None), summary.study_uid[0])
        assert [runs[number].info.run_id for number in table.trial] == list(table.mlflow_run_id)
        assert len(table) == len(runs) == 24
        accuracies = [runs[number].data.metrics["val_accuracy"] for number in table.trial]
        assert accuracies == list(table.val_accuracy)
