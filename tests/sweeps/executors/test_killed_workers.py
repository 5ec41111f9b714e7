"""A trial that kills its workers is FAIL wherever it is shown."""

import shutil
from pathlib import Path

import pandas as pd
import pytest
from mlflow import MlflowClient

import sweeps
from experiments import experiment_file
from sweeps.cli import output
from sweeps.executors import local
from sweeps.search.study import open_study
from tests.deadly import Danger, Deadly


@pytest.fixture(scope="module")
def tracking_uri(tmp_path_factory: pytest.TempPathFactory, made: Path) -> str:
    """One MLflow database for all, which saves making it each time."""
    return f"sqlite:///{shutil.copy(made, tmp_path_factory.mktemp('tracking'))}"


@pytest.mark.usefixtures("tracker_here")
@pytest.mark.parametrize("victims", [[0, 2], [0, 1, 2, 3]])
def test_failed_trials_are_shown_everywhere(
    victims: list[int],
    tmp_path: Path,
    tracking_uri: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    edits = ["training.epochs=2", "model.hidden=[5]", "sweep.baseline=4"]
    definition = experiment_file.load("iris", edits)
    proposals = open_study(str(tmp_path / "s.journal"), "s", definition).propose()
    (tmp_path / "losses").mkdir()
    danger = Danger(
        str(tmp_path / "losses"), tuple(proposals[number].setting for number in victims)
    )
    make = local.make
    monkeypatch.setattr(local, "make", lambda workers, **_: Deadly(make(workers), danger))
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
