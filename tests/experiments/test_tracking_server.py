"""Tracking through a plain `mlflow server`, started by hand in the folder."""

import json
import warnings
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from mlflow import MlflowClient

from experiments.tracking import Store, Tracker, Writer, choose, sync_runs
from tests.mlflow_reading import study_run, trial_runs
from tests.models import FRAME, later, made_model, registered, versions
from tests.servers import Running, answer, plain_mlflow
from tests.studies import confirmed_study, make_study

with warnings.catch_warnings(action="ignore"):  # MLflow warns of its own code
    import mlflow.pyfunc

LOCAL, MINE, YOURS = make_study(2), make_study(3), make_study(3)
CONFIRMED, CONFIRMED_TOO = confirmed_study(look=1), confirmed_study(look=1)
LIGHT = {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false", "MLFLOW_DISABLE_TELEMETRY": "true"}


@pytest.fixture
def plain(store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Running]:
    for name, value in LIGHT.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    with plain_mlflow(tmp_path) as server:
        yield server


def test_two_directories_share_a_plain_server_that_shows_what_the_folder_has(
    store: Store,
    tmp_path: Path,
    plain: Running,
    capfd: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    over_http = choose(tmp_path / "mine", "digits", uri=plain.url, environ={})
    (tmp_path / "reports").mkdir()
    (tmp_path / "reports" / "trials.csv").write_text("local")
    tracker = Tracker(store, LOCAL)
    sync_runs(tracker, LOCAL)
    tracker.log_file(tmp_path / "reports" / "trials.csv")

    # What was written straight into the database is there, with its files.
    assert sorted(trial_runs(over_http, LOCAL.study_uid)) == [0, 1]
    run_id = study_run(over_http, LOCAL.study_uid).info.run_id
    assert answer(plain.url, f"/get-artifact?run_id={run_id}&path=trials.csv") == "local"

    # Two writers with a study of the same name each write their own, at once.
    yours = choose(tmp_path / "yours", "digits", uri=over_http.uri, environ={})
    stores = {"mine": over_http, "yours": yours}
    writers = [Writer(Tracker(stores["mine"], MINE)), Writer(Tracker(yours, YOURS))]
    for trials in zip(MINE.trials, YOURS.trials, strict=True):
        for writer, trial in zip(writers, trials, strict=True):
            writer.put(trial)
    assert [sorted(writer.close().ids) for writer in writers] == [[0, 1, 2]] * 2
    for study in (MINE, YOURS):
        assert sync_runs(Tracker(over_http, study), study).trials == 0
        assert sorted(trial_runs(over_http, study.study_uid)) == [0, 1, 2]
    (tmp_path / "reports" / "trials.csv").write_text("mine")
    Tracker(stores["mine"], MINE).log_file(tmp_path / "reports" / "trials.csv")
    artifacts = MlflowClient(over_http.uri)
    assert artifacts.list_artifacts(study_run(over_http, MINE.study_uid).info.run_id)
    assert not artifacts.list_artifacts(study_run(over_http, YOURS.study_uid).info.run_id)
    assert not (tmp_path / "mine").exists()

    # Two people's confirmed models are two versions of one model, and the later confirmation has
    # the alias.
    registered(stores["yours"], later(CONFIRMED, 1), tmp_path)
    for _ in range(2):
        registered(stores["mine"], CONFIRMED_TOO, tmp_path)
    assert versions(over_http) == {
        f"1 {CONFIRMED.study_uid}": ["best"],
        f"2 {CONFIRMED_TOO.study_uid}": [],
    }
    (output,) = study_run(over_http, CONFIRMED.study_uid).outputs.model_outputs
    (link,) = json.loads(artifacts.get_logged_model(output.model_id).tags["mlflow.modelVersions"])
    assert (link["name"], str(link["version"])) == ("digits", "1")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", plain.url)
    loaded = mlflow.pyfunc.load_model("models:/digits@best")
    rows = FRAME[list(loaded.input_example)]
    wanted = made_model(CONFIRMED, tmp_path).predict(rows)
    np.testing.assert_array_equal(loaded.predict(rows), wanted)

    # The server is killed: what is missing is said, and written when there is a way.
    plain.end()
    late = make_study(2)
    writer = Writer(Tracker(stores["mine"], late))
    for trial in late.trials:
        writer.put(trial)
    assert not writer.close().ids
    assert sync_runs(Tracker(store, late), late).trials == 2

    assert capfd.readouterr() == ("", "")  # MLflow's chatter reached no terminal
