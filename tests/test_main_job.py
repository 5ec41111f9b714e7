"""The main job from the outside: `sweeps run digits`, then study, MLflow and CSV, each by its own public tools."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import mlflow
import optuna
import pandas as pd
import pytest
from mlflow.entities import Run
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend

from experiments.evaluation import CURVES, METRICS
from nnreg import LAMBDA_NAMES
from tests.browser import browser
from tests.commands import SWEEPS, sweeps
from tests.servers import answer, free_port, plain_mlflow, running

TRIALS, EPOCHS = 100, 30


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where a sweep of the catalog's digits was run, started from somewhere else."""
    elsewhere, folder = tmp_path_factory.mktemp("elsewhere"), tmp_path_factory.mktemp("sweep") / "made by the run"
    done = subprocess.run(
        [SWEEPS, "run", "digits", "--directory", str(folder)], cwd=elsewhere, check=True, capture_output=True, text=True
    )
    assert not list(elsewhere.iterdir())
    for words in ("baseline", "best", "sweeps ui digits --directory", "optuna-dashboard", "trials.csv", "report.html"):
        assert words in done.stdout
    assert f"digits: {TRIALS}/{TRIALS} trials; best val_accuracy" in done.stderr
    return folder


@pytest.fixture(scope="module")
def study(folder: Path) -> optuna.Study:
    return optuna.load_study(
        study_name="digits", storage=JournalStorage(JournalFileBackend(str(folder / "studies" / "digits.journal")))
    )


@pytest.fixture(scope="module")
def table(folder: Path) -> pd.DataFrame:
    return pd.read_csv(folder / "reports" / "digits" / "trials.csv")


@pytest.fixture(scope="module")
def client(folder: Path) -> mlflow.MlflowClient:
    return mlflow.MlflowClient(tracking_uri=f"sqlite:///{folder}/mlflow.db")


@pytest.fixture(scope="module")
def runs(client: mlflow.MlflowClient) -> dict[int, Run]:
    experiment = client.get_experiment_by_name("digits")
    found = client.search_runs([experiment.experiment_id], "tags.kind = 'trial'", max_results=1000)
    return {int(run.data.tags["trial"]): run for run in found}


def test_there_is_one_of_each_for_every_trial(study: optuna.Study, table: pd.DataFrame, runs: dict[int, Run]) -> None:
    numbers = list(range(TRIALS))
    assert [trial.number for trial in study.trials] == list(table.trial) == sorted(runs) == numbers
    assert {run.info.status for run in runs.values()} == {"FINISHED"}
    assert list(table.mlflow_run_id) == [runs[number].info.run_id for number in numbers]
    assert [runs[number].info.run_name for number in (0, 42)] == ["trial-00000", "trial-00042"]


def test_the_three_agree_in_every_number(study: optuna.Study, table: pd.DataFrame, runs: dict[int, Run]) -> None:
    for trial, row in zip(study.trials, table.to_dict("records"), strict=True):
        run = runs[trial.number].data
        assert trial.value == row["val_accuracy"]
        for name in (*LAMBDA_NAMES, *METRICS, "seconds", "epochs", "diverged"):
            assert trial.user_attrs[name] == row[name] == run.metrics[name], name
        for name in LAMBDA_NAMES:
            assert float(run.params[name]) == row[name]


def test_effective_lambdas_are_the_draws_above_low(study: optuna.Study) -> None:
    assert [study.trials[0].user_attrs[name] for name in LAMBDA_NAMES] == [0, 0, 0, 0]
    for trial in study.trials:
        for name in LAMBDA_NAMES:
            draw, low = trial.params[name], trial.distributions[name].low * 10  # off_decades is 1
            assert trial.user_attrs[name] == (draw if draw >= low * (1 - 1e-12) else 0)  # low itself was divided by 10


def test_curves_have_a_step_an_epoch_and_agree(
    folder: Path, study: optuna.Study, client: mlflow.MlflowClient, runs: dict[int, Run]
) -> None:
    history = pd.read_csv(folder / "reports" / "digits" / "history.csv")
    assert list(history.columns) == ["study", "trial", "epoch", *CURVES]
    assert len(history) == TRIALS * EPOCHS
    for number in (0, 57, TRIALS - 1):
        rows = history[history.trial == number]
        assert list(rows.epoch) == list(range(1, EPOCHS + 1))
        assert list(study.trials[number].intermediate_values.items()) == list(zip(rows.epoch, rows.val_accuracy, strict=True))
        for name in CURVES:
            points = sorted((point.step, point.value) for point in client.get_metric_history(runs[number].info.run_id, name))
            assert points == list(zip(rows.epoch, rows[name], strict=True))


def test_losses_add_up(table: pd.DataFrame) -> None:
    terms = table[[f"penalty_{name}" for name in LAMBDA_NAMES]]
    assert (table.regularization_loss == terms.sum(axis=1)).sum() > TRIALS / 2  # the rest differs in the order of adding
    pd.testing.assert_series_equal(table.regularization_loss, terms.sum(axis=1), check_names=False, rtol=1e-14)
    assert (table.total_loss == table.data_loss + table.regularization_loss).all()


def test_the_csv_reads_as_numbers(folder: Path, table: pd.DataFrame) -> None:
    text = {"study", "state", "started", "finished", "mlflow_run_id"}
    for name in table.columns.drop(["error", "diverged"]):
        assert pd.api.types.is_numeric_dtype(table[name]) != (name in text), name
    raw = (folder / "reports" / "digits" / "trials.csv").read_bytes()
    assert b"\r" not in raw
    assert raw.count(b"\n") == TRIALS + 1
    first = raw.splitlines()[1].split(b",")
    assert first[:4] == [b"digits", b"0", b"0", b"COMPLETE"]
    assert first[20:22] == [b"false", b"30"]
    assert len(first[23]) == len("2026-11-23T07:25:49.123456Z")


def test_there_is_one_summary(folder: Path, study: optuna.Study) -> None:
    (row,) = pd.read_csv(folder / "reports" / "digits" / "summary.csv").to_dict("records")
    assert (row["study"], row["complete"], row["fail"], row["baseline_trial"]) == ("digits", TRIALS, 0, 0)
    assert row["best_value"] == study.best_value
    assert row["baseline_value"] == study.trials[0].value
    assert row["difference"] == row["best_value"] - row["baseline_value"]
    assert row["tied"] == sum(trial.value == study.best_value for trial in study.trials)


def test_status_says_so(folder: Path, study: optuna.Study) -> None:
    done = sweeps("status", "--json", cwd=folder)
    (row,) = json.loads(done.stdout)
    assert row == {
        "study": "digits", "study_uid": study.user_attrs["sweep"]["study_uid"], "experiment": "digits",
        "finished": TRIALS, "trials": TRIALS, "best_trial": row["best_trial"], "best_value": study.best_value,
        "baseline_value": study.trials[0].value, "driver": None, "mlflow_missing": 0,
    }  # fmt: skip
    assert study.trials[row["best_trial"]].value == study.best_value


def test_the_doctor_finds_nothing_wrong(folder: Path) -> None:
    done = sweeps("doctor", "--json", cwd=folder)
    findings = json.loads(done.stdout)
    assert not [finding for finding in findings if finding["level"] == "wrong"]
    assert any("BLAS" in finding["what"] for finding in findings)


@pytest.fixture(scope="module")
def server(folder: Path) -> Iterator[str]:
    with plain_mlflow(folder) as server:
        yield server.url


def test_a_plain_mlflow_server_shows_the_runs_and_their_artifacts(server: str, runs: dict[int, Run]) -> None:
    client = mlflow.MlflowClient(tracking_uri=server)
    experiment = client.get_experiment_by_name("digits")
    (parent,) = client.search_runs([experiment.experiment_id], "tags.kind = 'study'")
    assert parent.info.status == "FINISHED"
    assert len(client.search_runs([experiment.experiment_id], f"tags.`mlflow.parentRunId` = '{parent.info.run_id}'")) == TRIALS
    names = {artifact.path for artifact in client.list_artifacts(parent.info.run_id)}
    assert {"trials.csv", "history.csv", "lambdas.csv", "summary.csv", "report.html"} <= names
    page = answer(server, f"/get-artifact?path=trials.csv&run_uuid={parent.info.run_id}")
    assert page.splitlines()[0].startswith("study,trial,generation,state,weight_l1")


def test_optuna_dashboard_opens_the_journal(folder: Path, study: optuna.Study, tmp_path: Path) -> None:
    port = free_port()
    command = [
        str(Path(sys.executable).with_name("optuna-dashboard")),
        "studies/digits.journal",
        "--host",
        "127.0.0.1",
        f"--port={port}",
    ]
    with running(command, cwd=folder, url=f"http://127.0.0.1:{port}", path="/dashboard") as server:
        (listed,) = json.loads(answer(server.url, "/api/studies"))["study_summaries"]
        assert listed["study_name"] == "digits"
        page = f"{server.url}/dashboard/studies/{listed['study_id']}"
        with browser(tmp_path) as user:
            user.open(page)
            drawn = "return [...document.querySelectorAll('#graph-intermediate-values .scatterlayer .trace')].length"
            assert user.wait_for(lambda: user.driver.execute_script(drawn) >= TRIALS)
            user.open(f"{page}/trials?numbers=7")
            text = user.wait_for(lambda: shown if "User Attributes" in (shown := user.texts("body")[0]) else None)
            fits = "return document.documentElement.scrollWidth <= window.innerWidth"
            assert user.driver.execute_script(fits)  # no attribute stretches the page
            assert user.hosts() == {"127.0.0.1"}
    trial = study.trials[7]
    assert f"{EPOCHS} {trial.value}" in text.splitlines()  # the last of the curve
    assert all(any(line.startswith(f"{name} ") for line in text.splitlines()) for name in trial.user_attrs)
    assert set(trial.user_attrs) == {
        *LAMBDA_NAMES, *METRICS, "generation", "diverged", "epochs", "seconds", "started", "finished"
    }  # fmt: skip


PLOTS = (
    *("optimization_history", "intermediate_values", "parallel_coordinate", "contour", "slice", "param_importances"),
    *("edf", "rank", "timeline"),
)


@pytest.mark.parametrize("name", PLOTS)
def test_optuna_draws_it_without_a_warning(name: str, study: optuna.Study) -> None:
    assert getattr(optuna.visualization, f"plot_{name}")(study).data
