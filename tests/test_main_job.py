"""The main job from the outside: `sweeps run digits`, then study, MLflow and CSV, each by its own
public tools; once in files, and once on a PostgreSQL and an MLflow server.
"""

import json
import subprocess
import threading
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from wsgiref.simple_server import make_server

import mlflow
import optuna
import optuna_dashboard
import pandas as pd
import pytest
from mlflow.entities import Run
from optuna.storages import JournalStorage, RDBStorage
from optuna.storages.journal import JournalFileBackend
from sqlalchemy.pool import NullPool

from experiments.evaluation import CURVES, METRICS
from nnreg import LAMBDA_NAMES
from sweeps.storage.attributes import SHOWN
from tests.browser import browser
from tests.commands import SWEEPS, sweeps
from tests.postgres import running_postgres
from tests.servers import answer, plain_mlflow

TRIALS, EPOCHS = 32, 30
SMALL = (f"--set=training.epochs={EPOCHS}", "--set=confirm.seeds=3", "--set=confirm.top=2")
in_files = pytest.mark.parametrize("job", ["files"], indirect=True)
on_servers = pytest.mark.parametrize("job", ["servers"], indirect=True)


@dataclass(frozen=True)
class Job:
    """A sweep of the catalog's digits that was run: its folder, storage, tracking, and options."""

    folder: Path
    storage: str
    tracking: str
    options: tuple[str, ...]

    @property
    def reports(self) -> Path:
        return self.folder / "reports" / "digits"


@pytest.fixture(scope="module", params=["files", "servers"])
def job(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Job]:
    """Started from another directory."""
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    folder = tmp_path_factory.mktemp("sweep") / "made by the run"
    storage, tracking = str(folder / "studies" / "digits.journal"), f"sqlite:///{folder}/mlflow.db"
    options = ["--directory", str(folder)]
    with ExitStack() as stack:
        if request.param == "servers":
            postgres = stack.enter_context(running_postgres())
            runs = ("--backend-store-uri", postgres.database("mlflow"))
            server = stack.enter_context(plain_mlflow(tmp_path_factory.mktemp("server"), *runs))
            storage, tracking = postgres.url, server.url
            options += ["--storage", storage, "--tracking-uri", tracking]
        done = subprocess.run(
            [SWEEPS, "run", "digits", f"--trials={TRIALS}", *SMALL, *options],
            cwd=elsewhere,
            check=True,
            capture_output=True,
            text=True,
        )
        assert not list(elsewhere.iterdir())
        for words in (
            "without penalties",
            "sweeps ui digits --directory",
            "optuna-dashboard",
            "trials.csv",
        ):
            assert words in done.stdout
        assert f"digits: {TRIALS}/{TRIALS} trials; best " in done.stderr
        yield Job(folder, storage, tracking, tuple(options))


@pytest.fixture(scope="module")
def storage(job: Job) -> JournalStorage | RDBStorage:
    if "://" in job.storage:
        return RDBStorage(job.storage, {"poolclass": NullPool})
    return JournalStorage(JournalFileBackend(job.storage))


@pytest.fixture(scope="module")
def study(storage: JournalStorage | RDBStorage) -> optuna.Study:
    return optuna.load_study(study_name="digits", storage=storage)


@pytest.fixture(scope="module")
def table(job: Job) -> pd.DataFrame:
    return pd.read_csv(job.reports / "trials.csv")


@pytest.fixture(scope="module")
def client(job: Job) -> mlflow.MlflowClient:
    return mlflow.MlflowClient(tracking_uri=job.tracking)


@pytest.fixture(scope="module")
def runs(client: mlflow.MlflowClient) -> dict[int, Run]:
    experiment = client.get_experiment_by_name("digits")
    found = client.search_runs([experiment.experiment_id], "tags.kind = 'trial'", max_results=1000)
    return {int(run.data.tags["trial"]): run for run in found}


def test_there_is_one_of_each_for_every_trial(
    job: Job, study: optuna.Study, table: pd.DataFrame, runs: dict[int, Run]
) -> None:
    numbers = list(range(TRIALS))
    assert [trial.number for trial in study.trials] == list(table.trial) == sorted(runs) == numbers
    assert {run.info.status for run in runs.values()} == {"FINISHED"}
    assert list(table.mlflow_run_id) == [runs[number].info.run_id for number in numbers]
    assert [runs[number].info.run_name for number in (0, 27)] == ["trial-00000", "trial-00027"]


def test_the_three_agree_in_every_number(
    study: optuna.Study, table: pd.DataFrame, runs: dict[int, Run]
) -> None:
    for trial, row in zip(study.trials, table.to_dict("records"), strict=True):
        run = runs[trial.number].data
        assert trial.value == row["val_accuracy"]
        for name in (*LAMBDA_NAMES, *METRICS, "seconds", "best_epoch"):
            assert row[name] == run.metrics[name], name
        for name in ("generation", "epochs", "diverged"):
            assert str(row[name]).lower() == run.params[name], name
        for name in (*LAMBDA_NAMES, *SHOWN):
            assert trial.user_attrs[name] == row[name]
        for name in LAMBDA_NAMES:
            assert float(run.params[name]) == row[name]


def test_curves_have_a_step_an_epoch_and_agree(
    job: Job, study: optuna.Study, client: mlflow.MlflowClient, runs: dict[int, Run]
) -> None:
    history = pd.read_csv(job.reports / "history.csv")
    assert list(history.columns) == ["study", "trial", "epoch", *CURVES]
    assert len(history) == TRIALS * EPOCHS
    for number in (0, 27, TRIALS - 1):
        rows = history[history.trial == number]
        assert list(rows.epoch) == list(range(1, EPOCHS + 1))
        curve = dict(zip(rows.epoch, rows.val_accuracy, strict=True))
        shown = study.trials[number].intermediate_values
        assert {1, EPOCHS} <= shown.keys()
        assert study.trials[number].value in shown.values()
        assert shown.items() < curve.items()
        for name in CURVES:
            points = client.get_metric_history(runs[number].info.run_id, name)
            found = sorted((point.step, point.value) for point in points if point.step <= EPOCHS)
            assert found == list(zip(rows.epoch, rows[name], strict=True))


def baseline(study: optuna.Study) -> float:
    """The best without any penalty."""
    arm = [one for one in study.trials if not any(one.user_attrs[name] for name in LAMBDA_NAMES)]
    return max(float(trial.value or 0.0) for trial in arm)


def test_there_is_one_summary(job: Job, study: optuna.Study) -> None:
    (row,) = pd.read_csv(job.reports / "summary.csv").to_dict("records")
    assert (row["study"], row["complete"], row["fail"]) == ("digits", TRIALS, 0)
    assert row["best_value"] == study.best_value
    assert row["baseline_value"] == baseline(study)
    assert row["difference"] == row["best_value"] - row["baseline_value"]
    assert row["tied"] == sum(trial.value == study.best_value for trial in study.trials)


@in_files
def test_status_says_so(
    job: Job, study: optuna.Study, storage: JournalStorage | RDBStorage
) -> None:
    done = sweeps("status", "--json", *job.options, cwd=job.folder)
    (row,) = json.loads(done.stdout)
    assert (row["study"], row["experiment"]) == ("digits", "digits")
    (kept,) = [one.system_attrs for one in storage.get_all_studies() if one.study_name == "digits"]
    assert row["study_uid"] == kept["sweeps:1"]["value"]["study_uid"]
    assert (row["finished"], row["trials"]) == (TRIALS, TRIALS)
    assert (row["best_value"], row["baseline_value"]) == (study.best_value, baseline(study))
    assert (row["driver"], row["mlflow_missing"]) == (None, 0)
    assert study.trials[row["best_trial"]].value == study.best_value


@on_servers
def test_the_doctor_finds_nothing_wrong(job: Job) -> None:
    done = sweeps("doctor", "--json", *job.options, cwd=job.folder)
    findings = json.loads(done.stdout)
    assert not [finding for finding in findings if finding["level"] == "wrong"]
    assert any("BLAS" in finding["what"] for finding in findings)


@on_servers
def test_a_plain_mlflow_server_shows_the_runs_and_their_artifacts(
    job: Job, client: mlflow.MlflowClient
) -> None:
    experiment = client.get_experiment_by_name("digits")
    (parent,) = client.search_runs([experiment.experiment_id], "tags.kind = 'study'")
    assert parent.info.status == "FINISHED"
    below = f"tags.`mlflow.parentRunId` = '{parent.info.run_id}'"
    kinds = [run.data.tags["kind"] for run in client.search_runs([experiment.experiment_id], below)]
    assert sorted(kinds) == ["confirmation", *["trial"] * TRIALS]
    assert parent.data.tags["answer"] == experiment.tags["mlflow.note.content"].splitlines()[0]
    names = {artifact.path for artifact in client.list_artifacts(parent.info.run_id)}
    assert {"trials.csv", "history.csv", "lambdas.csv", "summary.csv", "report.html"} <= names
    page = answer(job.tracking, f"/get-artifact?path=trials.csv&run_uuid={parent.info.run_id}")
    assert page.startswith("study,trial,generation,state,weight_l1")


@pytest.fixture
def dashboard(storage: JournalStorage | RDBStorage) -> Iterator[str]:
    """optuna-dashboard on the job's storage."""
    with make_server("127.0.0.1", 0, optuna_dashboard.wsgi(storage)) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def test_optuna_dashboard_lists_the_study(dashboard: str, study: optuna.Study) -> None:
    (listed,) = json.loads(answer(dashboard, "/api/studies"))["study_summaries"]
    assert listed["study_name"] == "digits"
    detail = json.loads(answer(dashboard, f"/api/studies/{listed['study_id']}"))
    curve = detail["trials"][7]["intermediate_values"]
    assert (curve[0]["step"], curve[-1]["step"]) == (1, EPOCHS)
    assert study.trials[7].value in [point["value"] for point in curve]


@in_files
def test_optuna_dashboard_shows_a_trial(
    dashboard: str, study: optuna.Study, tmp_path: Path
) -> None:
    page = f"{dashboard}/dashboard/studies/0"
    with browser(tmp_path) as user:
        user.open(page)
        traces = "#graph-intermediate-values .scatterlayer .trace"
        drawn = f"return document.querySelectorAll('{traces}').length"
        assert user.wait_for(lambda: user.driver.execute_script(drawn) >= TRIALS)
        user.open(f"{page}/trials?numbers=7")
        assert user.wait_for(lambda: "User Attributes" in user.texts("body")[0])
        text = user.texts("body")[0]
        fits = "return document.documentElement.scrollWidth <= window.innerWidth"
        assert user.driver.execute_script(fits)  # no attribute stretches the page
        user.open(page)
        assert user.wait_for(lambda: "val_accuracy" in user.texts("body")[0])
        assert user.driver.execute_script(fits)
        user.open(f"{page}/note")
        assert user.wait_for(lambda: "Written by sweeps" in user.texts("body")[0])
        assert user.hosts() == {"127.0.0.1"}
    trial = study.trials[7]
    lines = text.splitlines()
    assert f"{EPOCHS} {trial.intermediate_values[EPOCHS]}" in lines
    assert all(any(line.startswith(f"{name} ") for line in lines) for name in trial.user_attrs)


@in_files
def test_optuna_draws_it_without_a_warning(job: Job, study: optuna.Study) -> None:
    names = "optimization_history intermediate_values parallel_coordinate contour slice"
    for name in f"{names} param_importances edf rank timeline".split():
        assert getattr(optuna.visualization, f"plot_{name}")(study).data, name
