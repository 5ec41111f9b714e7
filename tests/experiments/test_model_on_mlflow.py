"""The confirmed model on MLflow: loaded and served by MLflow itself, in the registry once a
verdict, and without a pickle.
"""

import json
import os
import re
import shutil
import subprocess
import sys
import warnings
import zipfile
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import yaml
from mlflow import MlflowClient

from experiments.model import Model, flavor
from experiments.tracking import Store, Tracker, choose
from tests.mlflow_reading import study_run
from tests.models import FRAME, later, made_model, registered, versions
from tests.servers import QUIET, free_port, running
from tests.studies import confirmed_study, make_study

with warnings.catch_warnings(
    action="ignore"
):  # MLflow warns of its own code when this is imported first
    import mlflow.pyfunc

STUDY = confirmed_study(look=1)


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory, made: Path) -> Path:
    """A directory whose MLflow has the study and its model, kept in `kept`."""
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
    (folder,) = (home / "mlruns" / "digits" / "models").glob("*/artifacts")
    return folder


def test_nothing_in_it_is_a_pickle(home: Path) -> None:
    names = {
        str(path.relative_to(artifacts(home))): path
        for path in artifacts(home).rglob("*")
        if path.is_file()
    }
    assert sorted(names) == [
        "MLmodel", "code/nnreg_sweeps_loader.py", "conda.yaml", "data/network/code.zip", "data/network/model.json",
        "data/network/model.npz", "input_example.json", "python_env.yaml", "requirements.txt", "serving_input_example.json",
    ]  # fmt: skip
    described = yaml.safe_load(names["MLmodel"].read_text())
    assert set(described["flavors"]["python_function"]) == {
        "code", "data", "env", "loader_module", "python_version", "streamable",
    }  # fmt: skip  # no python_model, no cloudpickle_version
    texts = {
        name: path.read_text(encoding="utf-8")
        for name, path in names.items()
        if path.suffix not in (".npz", ".zip")
    }
    assert not [
        name
        for name, text in texts.items()
        if re.search(r"pickle|\.pkl", text) and not name.endswith(".py")
    ]
    with np.load(names["data/network/model.npz"], allow_pickle=False) as arrays:
        assert all(arrays[name].dtype.kind == "f" for name in arrays.files)
    with zipfile.ZipFile(names["data/network/code.zip"]) as archive:
        assert {Path(name).suffix for name in archive.namelist()} == {".py"}
        assert {name.split("/")[0] for name in archive.namelist()} == {"nnreg", "experiments"}


def test_what_the_page_shows_of_it(home: Path, kept: Model) -> None:
    client, store = MlflowClient(f"sqlite:///{home}/mlflow.db"), choose(home, "digits", environ={})
    run = study_run(store, STUDY.study_uid)
    (output,) = run.outputs.model_outputs
    logged = client.get_logged_model(output.model_id)
    assert (str(logged.status), logged.source_run_id, logged.name) == (
        "READY",
        run.info.run_id,
        "digits",
    )
    assert {name: float(value) for name, value in logged.params.items()} == kept.origin["lambdas"]
    assert json.loads(logged.tags["mlflow.modelVersions"]) == [{"name": "digits", "version": 1}]
    version = client.get_model_version_by_alias("digits", "best")
    assert (version.run_id, version.tags["verdict"]) == (run.info.run_id, "better")
    assert version.description.startswith("Use weight_l1")


def test_what_goes_in_and_comes_out_is_said(loaded: Any, kept: Model) -> None:
    signature = loaded.metadata.signature
    assert (
        signature.inputs.input_names()
        == signature.inputs.required_input_names()
        == list(kept.preparation.columns)
    )
    assert [(one.name, one.type.name) for one in signature.outputs.inputs] == [("class", "long")]
    assert [(one.name, one.dtype.name, one.default) for one in signature.params.params] == [
        ("probabilities", "boolean", False)
    ]
    assert loaded.input_example.astype({"colour": str}).to_dict("records") == list(kept.example)
    assert not np.any(loaded.predict(loaded.input_example) != kept.predict(loaded.input_example))


def test_what_it_needs_has_a_name_and_a_version_and_no_place(home: Path) -> None:
    lines = (artifacts(home) / "requirements.txt").read_text().splitlines()
    assert [re.fullmatch(r"([a-z]+)[<>=.,\d]+", line).group(1) for line in lines] == list(
        flavor.NEEDED
    )  # type: ignore[union-attr]


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_it_says_of_raw_rows_what_the_kept_model_says(loaded: Any, kept: Model) -> None:
    as_text = FRAME.astype(object).where(FRAME.notna(), "?").astype(str)
    for frame in (
        FRAME,
        FRAME[FRAME.columns[::-1]],
        FRAME.drop(columns="class"),
        as_text,
        FRAME.assign(weight=FRAME.weight.round().astype(int), colour="violet", zip="10115"),
        FRAME.astype({"size, in cm": "Int64", "colour": "category", "zip": "category"}),
        FRAME[:1],
        FRAME[:0],
    ):
        np.testing.assert_array_equal(loaded.predict(frame), kept.predict(frame))
        pd.testing.assert_frame_equal(
            loaded.predict(frame, params={"probabilities": True}),
            kept.table(frame),
            check_exact=True,
        )
    assert loaded.predict(FRAME).dtype == FRAME["class"].dtype


def test_a_missing_a_misspelt_and_a_wrong_column_are_named(loaded: Any) -> None:
    for frame, says in (
        (
            FRAME.rename(columns={"weight": "wieght"}),
            r"missing inputs \['weight'\]. Note that there were extra inputs: .*'wieght'",
        ),
        (FRAME.assign(weight="heavy"), "^the rows: column 'weight' holds 'heavy' in row 1 "),
    ):
        with pytest.raises(mlflow.exceptions.MlflowException, match=says) as caught:
            loaded.predict(frame)
        assert caught.value.get_http_status_code() == 400


def test_it_is_served(home: Path, kept: Model) -> None:
    port, scripts = free_port(), Path(sys.executable).parent
    environ = {
        **QUIET, "MLFLOW_TRACKING_URI": f"sqlite:///{home}/mlflow.db", "PATH": f"{scripts}{os.pathsep}{os.environ['PATH']}",
    }  # fmt: skip
    command = [
        str(scripts / "mlflow"), "models", "serve", "--env-manager", "local", "-m", "models:/digits@best", "--port", str(port),
    ]  # fmt: skip

    def ask(frame: pd.DataFrame, **more: Any) -> tuple[int, dict[str, Any]]:
        connection = HTTPConnection("127.0.0.1", port, timeout=30)
        body = json.dumps({"dataframe_split": json.loads(frame.to_json(orient="split")), **more})
        connection.request("POST", "/invocations", body, {"Content-Type": "application/json"})
        answer = connection.getresponse()
        read: dict[str, Any] = json.loads(answer.read())
        connection.close()
        return answer.status, read

    with running(
        command, cwd=home, url=f"http://127.0.0.1:{port}", path="/ping", environment=environ
    ):
        assert ask(FRAME) == (200, {"predictions": kept.predict(FRAME).tolist()})
        status, answer = ask(FRAME, params={"probabilities": True})
        assert (status, answer["predictions"]) == (200, kept.table(FRAME).to_dict("records"))
        status, answer = ask(FRAME.rename(columns={"weight": "wieght"}))
        assert status == 400
        assert re.search(
            r"missing inputs \['weight'\]. Note that there were extra inputs: .*'wieght'",
            answer["message"],
        )
        status, answer = ask(FRAME.assign(weight="heavy"))
        assert status == 400
        assert "the rows: column 'weight' holds 'heavy' in row 1 " in answer["message"]


UNNEEDED = {
    "cmaes",
    "filelock",
    "optuna",
    "plotly",
    "rich",
    "scipy",
    "sklearn",
    "sweeps",
    "tenacity",
    "threadpoolctl",
    "typer",
}


def test_it_is_loaded_where_this_package_is_not_installed(home: Path, kept: Model) -> None:
    packages = next(path for path in sys.path if path.endswith("site-packages"))
    program = f"""
import sys
from importlib.util import find_spec
sys.path.append({packages!r})
assert not find_spec("nnreg") and not find_spec("experiments"), "they are installed"
sys.modules |= dict.fromkeys({sorted(UNNEEDED)})  # as if they were not installed
import mlflow, pandas
model = mlflow.pyfunc.load_model({str(artifacts(home))!r})
print(model.predict(pandas.read_csv({str(home / "rows.csv")!r})).tolist())
"""
    environ = {**QUIET, "MLFLOW_DISABLE_TELEMETRY": "true"}
    done = (
        subprocess.run(  # -S: without what the site adds to the path, such as an editable install
            [sys.executable, "-S", "-c", program],
            cwd=home / "mlruns",
            env=environ,
            capture_output=True,
            text=True,
        )
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == kept.predict(FRAME).tolist()


def test_one_version_a_verdict_and_the_newest_confirmed_is_best(
    store: Store, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """Two studies of two people in one registry, one of them confirmed again, and what somebody
    does to it by hand.
    """
    mine, yours = (
        confirmed_study(make_study(3), look=1),
        later(confirmed_study(make_study(3), look=1), 1),
    )
    assert registered(store, yours, tmp_path)
    assert registered(store, mine, tmp_path)  # an older confirmation, which comes later
    assert not registered(store, mine, tmp_path)
    first, second = f"1 {yours.study_uid}", f"2 {mine.study_uid}"
    assert versions(store) == {first: ["best"], second: []}

    assert registered(store, later(mine, 2), tmp_path)  # confirmed again, to the same model
    assert versions(store) == {first: [], second: ["best"]}
    assert registered(store, later(yours, 3), tmp_path)
    assert versions(store) == {first: ["best"], second: []}
    other = later(confirmed_study(mine, winner=2, look=1), 5)
    assert registered(store, other, tmp_path)
    third = f"3 {mine.study_uid}"
    assert versions(store) == {first: [], second: [], third: ["best"]}

    client, tracker = MlflowClient(store.uri), Tracker(store, other)
    client.set_registered_model_alias("digits", "best", "1")  # somebody prefers it
    assert not registered(store, other, tmp_path)
    assert versions(store) == {first: ["best"], second: [], third: []}
    assert tracker.audit(other).model == []
    client.delete_registered_model_alias("digits", "best")
    assert tracker.audit(other).model == ["no version of the model digits is called best"]
    assert registered(store, other, tmp_path)
    assert versions(store) == {first: [], second: [], third: ["best"]}
    client.delete_model_version("digits", "3")
    assert tracker.audit(other).model == ["its model is not registered as digits"]
    assert registered(store, other, tmp_path)
    assert versions(store) == {first: [], second: [], f"4 {mine.study_uid}": ["best"]}
    assert capfd.readouterr() == ("", "")  # MLflow's chatter reached no terminal


def test_what_was_half_written_is_made_whole(store: Store, tmp_path: Path) -> None:
    """Ended after the logged model was begun, and after it was there; neither is there twice in the
    end.
    """
    assert registered(store, STUDY, tmp_path)
    client, run = MlflowClient(store.uri), study_run(store, STUDY.study_uid)
    (logged,) = client.search_logged_models([run.info.experiment_id])
    client.delete_registered_model("digits")
    for _ in range(9):  # one would do, were ids not drawn: the least of them is taken
        client.create_logged_model(
            run.info.experiment_id, "digits", run.info.run_id, tags=logged.tags
        )
    assert registered(store, STUDY, tmp_path)
    assert [one.model_id for one in client.search_logged_models([run.info.experiment_id])] == [
        logged.model_id
    ]
    assert versions(store) == {f"1 {STUDY.study_uid}": ["best"]}


def test_nothing_is_registered_without_a_verdict_or_its_model(store: Store, tmp_path: Path) -> None:
    tracker, plain = Tracker(store, STUDY), make_study(3)
    made_model(STUDY, tmp_path).write(tmp_path / "kept")
    assert not tracker.keep_model(STUDY, tmp_path / "kept")  # there is no run to show it with
    tracker.sync(STUDY)
    assert not tracker.keep_model(STUDY, tmp_path)
    assert not Tracker(store, plain).keep_model(plain, tmp_path)
    assert not MlflowClient(store.uri).search_registered_models()


@pytest.mark.parametrize("name", ["Größe 1.0 +x", "1", "models", "数字"])
def test_any_name_that_an_experiment_can_have_is_one_of_a_model(
    store: Store, tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    study = confirmed_study(make_study(3, name=f"{name}, wider"), look=1)
    named = choose(tmp_path, "kept/elsewhere: by MLFLOW_EXPERIMENT_NAME", environ={})
    study = study.__class__(**{**vars(study), "experiment": name})
    assert registered(named, study, tmp_path)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", store.uri)
    assert len(mlflow.pyfunc.load_model(f"models:/{name}@best").predict(FRAME)) == len(FRAME)


def test_it_follows_a_directory_that_was_moved(
    tmp_path: Path, made: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "before").mkdir()
    shutil.copy(made, tmp_path / "before")
    registered(choose(tmp_path / "before", "digits", environ={}), STUDY, tmp_path / "before")
    (tmp_path / "before").rename(tmp_path / "after")
    after = choose(tmp_path / "after", "digits", environ={})
    assert not registered(after, STUDY, tmp_path / "after")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", after.uri)
    version = MlflowClient(after.uri).get_model_version_by_alias("digits", "best")
    (output,) = study_run(after, STUDY.study_uid).outputs.model_outputs
    for model in ("models:/digits@best", f"models:/{output.model_id}", version.source):
        assert len(mlflow.pyfunc.load_model(model).predict(FRAME)) == len(FRAME)
