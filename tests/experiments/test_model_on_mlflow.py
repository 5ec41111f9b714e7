"""The confirmed model on MLflow: loaded and served by MLflow itself, registered once per verdict,
without a pickle.
"""

import dataclasses
import json
import os
import re
import shutil
import subprocess
import sys
import warnings
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import yaml
from mlflow import MlflowClient

from experiments.model import Model, pyfunc
from experiments.tracking import Store, Tracker, audit_runs, choose, sync_runs
from tests.mlflow_reading import study_run
from tests.models import FRAME, later, made_model, registered, versions
from tests.servers import QUIET, free_port, running
from tests.studies import confirmed_study, make_study

with warnings.catch_warnings(action="ignore"):  # MLflow warns of its own code
    import mlflow.pyfunc

STUDY = confirmed_study(look=1)
MISSPELT = FRAME.rename(columns={"weight": "wieght"})
MISSPELT_SAYS = r"missing inputs \['weight'\]. Note that there were extra inputs: .*'wieght'"
WRONG = FRAME.assign(weight="heavy")
WRONG_SAYS = "the rows: column 'weight' holds 'heavy' in row 1 "


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory, made: Path) -> Path:
    """A directory whose MLflow has the study and its model."""
    folder = tmp_path_factory.mktemp("home")
    shutil.copy(made, folder)
    registered(choose(folder, "digits", environ={}), STUDY, folder)
    return folder


@pytest.fixture(scope="module")
def kept(home: Path) -> Model:
    return made_model(STUDY, home)


@pytest.fixture
def loaded(home: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{home}/mlflow.db")
    return mlflow.pyfunc.load_model("models:/digits@best")


def artifacts(home: Path) -> Path:
    return next((home / "mlruns" / "digits" / "models").glob("*/artifacts"))


def test_nothing_in_it_is_a_pickle(home: Path) -> None:
    # Python compiles what is loaded in place.
    found = artifacts(home).rglob("*")
    files = [path for path in found if path.is_file() and "__pycache__" not in path.parts]
    assert {path.suffix for path in files if "packages" not in path.parts} == {
        "", ".json", ".npz", ".py", ".txt", ".yaml",
    }  # fmt: skip
    assert not [path for path in files if re.search("pickle|pkl|pyc", path.name)]
    described = yaml.safe_load((artifacts(home) / "MLmodel").read_text())
    assert described["flavors"]["python_function"].keys() == {
        "code", "data", "env", "loader_module", "python_version", "streamable",
    }  # fmt: skip  # no python_model, no cloudpickle_version
    for file in artifacts(home).rglob("*.npz"):
        with np.load(file, allow_pickle=False) as arrays:
            assert all(arrays[name].dtype.kind == "f" for name in arrays.files)


def test_what_the_page_shows_of_it(home: Path, kept: Model) -> None:
    store = choose(home, "digits", environ={})
    client, run = MlflowClient(store.uri), study_run(store, STUDY.study_uid)
    (output,) = run.outputs.model_outputs
    logged = client.get_logged_model(output.model_id)
    assert (str(logged.status), logged.name) == ("READY", "digits")
    assert logged.source_run_id == run.info.run_id
    assert {name: float(value) for name, value in logged.params.items()} == kept.origin["lambdas"]
    assert json.loads(logged.tags["mlflow.modelVersions"]) == [{"name": "digits", "version": 1}]
    version = client.get_model_version_by_alias("digits", "best")
    assert (version.run_id, version.tags["verdict"]) == (run.info.run_id, "better")
    assert version.description.startswith("Regularization helps: ")


def test_what_goes_in_and_comes_out_is_said(loaded: Any, kept: Model, home: Path) -> None:
    signature = loaded.metadata.signature
    inputs = signature.inputs
    assert inputs.required_input_names() == inputs.input_names() == list(kept.preparation.columns)
    assert [(one.name, one.type.name) for one in signature.outputs.inputs] == [("class", "long")]
    assert [(one.name, one.dtype.name, one.default) for one in signature.params.params] == [
        ("probabilities", "boolean", False)
    ]
    assert loaded.input_example.astype({"colour": str}).to_dict("records") == list(kept.example)
    lines = (artifacts(home) / "requirements.txt").read_text().splitlines()
    assert {re.split("[<>=]", line)[0] for line in lines} == pyfunc.NEEDED


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_it_says_of_raw_rows_what_the_kept_model_says(loaded: Any, kept: Model) -> None:
    for frame in (
        FRAME[FRAME.columns[::-1]],
        FRAME.drop(columns="class"),
        FRAME.astype(object).where(FRAME.notna(), "?").astype(str),
        FRAME.assign(weight=FRAME.weight.round().astype(int), colour="violet", zip="10115"),
        FRAME.astype({"size, in cm": "Int64", "colour": "category", "zip": "category"}),
        FRAME[:0],
    ):
        np.testing.assert_array_equal(loaded.predict(frame), kept.predict(frame))
        with_table = loaded.predict(frame, params={"probabilities": True})
        pd.testing.assert_frame_equal(with_table, kept.table(frame), check_exact=True)


def test_it_is_served(home: Path, kept: Model) -> None:
    port, scripts = free_port(), Path(sys.executable).parent
    environ = {
        **QUIET,
        "MLFLOW_TRACKING_URI": f"sqlite:///{home}/mlflow.db",
        "PATH": f"{scripts}{os.pathsep}{os.environ['PATH']}",
    }
    command = [str(scripts / "mlflow"), "models", "serve", "--env-manager", "local"]
    command += ["-m", "models:/digits@best", "--port", str(port)]

    def ask(frame: pd.DataFrame, **more: Any) -> tuple[int, dict[str, Any]]:
        connection = HTTPConnection("127.0.0.1", port, timeout=30)
        body = json.dumps({"dataframe_split": json.loads(frame.to_json(orient="split")), **more})
        connection.request("POST", "/invocations", body, {"Content-Type": "application/json"})
        answer = connection.getresponse()
        read: dict[str, Any] = json.loads(answer.read())
        connection.close()
        return answer.status, read

    url = f"http://127.0.0.1:{port}"
    with running(command, cwd=home, url=url, path="/ping", environment=environ):
        assert ask(FRAME) == (200, {"predictions": kept.predict(FRAME).tolist()})
        status, answer = ask(FRAME, params={"probabilities": True})
        assert (status, answer["predictions"]) == (200, kept.table(FRAME).to_dict("records"))
        for frame, says in ((MISSPELT, MISSPELT_SAYS), (WRONG, WRONG_SAYS)):
            status, answer = ask(frame)
            assert status == 400
            assert re.search(says, answer["message"])


UNNEEDED = (
    "cmaes", "filelock", "optuna", "plotly", "rich", "scipy", "sklearn", "sweeps",
    "threadpoolctl", "typer",
)  # fmt: skip


def test_it_is_loaded_where_this_package_is_not_installed(home: Path, kept: Model) -> None:
    packages = next(path for path in sys.path if path.endswith("site-packages"))
    program = f"""
import sys
from importlib.util import find_spec
sys.path.append({packages!r})
assert not find_spec("nnreg") and not find_spec("experiments"), "they are installed"
sys.modules |= dict.fromkeys({UNNEEDED})  # as if they were not installed
import mlflow, pandas
model = mlflow.pyfunc.load_model({str(artifacts(home))!r})
print(model.predict(pandas.read_csv({str(home / "rows.csv")!r})).tolist())
"""
    done = subprocess.run(
        [sys.executable, "-S", "-c", program],  # -S: without an editable install's path
        cwd=home / "mlruns",
        env={**QUIET, "MLFLOW_DISABLE_TELEMETRY": "true"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == kept.predict(FRAME).tolist()


def test_one_version_per_verdict_and_the_newest_confirmed_is_best(
    store: Store, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """Two studies in one registry, one of them confirmed again, and what somebody does by hand."""
    mine = confirmed_study(make_study(3), look=1)
    yours = later(confirmed_study(make_study(3), look=1), 1)
    assert registered(store, yours, tmp_path)
    assert registered(store, mine, tmp_path)  # an older confirmation, which comes later
    assert not registered(store, mine, tmp_path)
    first, second = f"1 {yours.study_uid}", f"2 {mine.study_uid}"
    assert versions(store) == {first: ["best"], second: []}

    assert registered(store, later(mine, 2), tmp_path)  # confirmed again, to the same model
    assert versions(store) == {first: [], second: ["best"]}
    other = later(confirmed_study(mine, winner=2, look=1), 5)
    assert registered(store, other, tmp_path)
    third = f"3 {mine.study_uid}"
    assert versions(store) == {first: [], second: [], third: ["best"]}

    client, tracker = MlflowClient(store.uri), Tracker(store, other)
    client.set_registered_model_alias("digits", "best", "1")  # somebody prefers it
    assert not registered(store, other, tmp_path)
    assert versions(store) == {first: ["best"], second: [], third: []}
    assert audit_runs(tracker, other).model == ()
    client.delete_registered_model_alias("digits", "best")
    assert audit_runs(tracker, other).model == ("no version of the model digits is called best",)
    assert registered(store, other, tmp_path)
    assert versions(store) == {first: [], second: [], third: ["best"]}
    client.delete_model_version("digits", "3")
    assert audit_runs(tracker, other).model == ("its model is not registered as digits",)
    assert registered(store, other, tmp_path)
    assert versions(store) == {first: [], second: [], f"4 {mine.study_uid}": ["best"]}
    assert capfd.readouterr() == ("", "")  # no message of MLflow's reached the terminal


def test_what_was_half_written_is_completed(store: Store, tmp_path: Path) -> None:
    """Ended after the logged model was begun, and after it was there; nothing is there twice."""
    assert registered(store, STUDY, tmp_path)
    client, run = MlflowClient(store.uri), study_run(store, STUDY.study_uid)
    experiment = run.info.experiment_id
    (logged,) = client.search_logged_models([experiment])
    client.delete_registered_model("digits")
    assert registered(store, STUDY, tmp_path)
    assert [one.model_id for one in client.search_logged_models([experiment])] == [logged.model_id]
    assert versions(store) == {f"1 {STUDY.study_uid}": ["best"]}

    client.delete_registered_model("digits")
    client.delete_logged_model(logged.model_id)
    begun = client.create_logged_model(experiment, "digits", run.info.run_id, tags=logged.tags)
    assert registered(store, STUDY, tmp_path)
    (whole,) = client.search_logged_models([experiment])
    assert (whole.model_id, str(whole.status)) == (begun.model_id, "READY")
    assert client.get_model_version("digits", "1").source == begun.artifact_location


def test_nothing_is_registered_without_a_verdict_or_its_model(store: Store, tmp_path: Path) -> None:
    tracker, plain = Tracker(store, STUDY), make_study(3)
    made_model(STUDY, tmp_path).write(tmp_path / "kept")
    assert not tracker.keep_model(STUDY, tmp_path / "kept")  # there is no run to show it with
    sync_runs(tracker, STUDY)
    assert not tracker.keep_model(STUDY, tmp_path)
    assert not Tracker(store, plain).keep_model(plain, tmp_path / "kept")
    assert not MlflowClient(store.uri).search_registered_models()


@pytest.mark.parametrize("name", ["Größe 1.0 +x", "数字"])
def test_any_name_that_an_experiment_can_have_is_one_of_a_model(
    store: Store, tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    study = confirmed_study(make_study(3, name=f"{name}, wider"), look=1)
    named = choose(tmp_path, "kept/elsewhere: by MLFLOW_EXPERIMENT_NAME", environ={})
    experiment = study.experiment.model_copy(update={"name": name})
    study = dataclasses.replace(study, experiment=experiment)
    assert registered(named, study, tmp_path)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", store.uri)
    assert len(mlflow.pyfunc.load_model(f"models:/{name}@best").predict(FRAME)) == len(FRAME)


def test_it_follows_a_directory_that_was_moved(
    tmp_path: Path, made: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "before").mkdir()
    shutil.copy(made, tmp_path / "before")
    registered(choose(tmp_path / "before", "digits", environ={}), STUDY, tmp_path)
    after = (tmp_path / "before").rename(tmp_path / "after")
    store = choose(after, "digits", environ={})
    assert not registered(store, STUDY, after)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", store.uri)
    version = MlflowClient(store.uri).get_model_version_by_alias("digits", "best")
    (output,) = study_run(store, STUDY.study_uid).outputs.model_outputs
    for model in ("models:/digits@best", f"models:/{output.model_id}", version.source):
        assert len(mlflow.pyfunc.load_model(model).predict(FRAME)) == len(FRAME)
