"""Tracking through a plain `mlflow server`, started by hand in the folder."""

import http.client
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from mlflow import MlflowClient

from experiments.tracking import Store, Tracker, Writer, choose
from sweeps.server import HOST, end_group, free_port, is_well
from tests.mlflow_reading import study_run, trial_runs
from tests.studies import make_study

LOCAL, MINE, YOURS = make_study(2), make_study(3), make_study(3)
LIGHT = {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false", "MLFLOW_DISABLE_TELEMETRY": "true"}


@pytest.fixture
def plain(store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator["subprocess.Popen[bytes]"]:
    """The server's process; `args[-1]` is its port. It is told nothing but that: the stores are those that it finds."""
    for name, value in LIGHT.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    port = free_port()
    command = [sys.executable, "-m", "mlflow", "server", "--workers", "1", "--port", str(port)]
    with subprocess.Popen(
        command, cwd=tmp_path, start_new_session=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as process:
        while not is_well(port) and process.poll() is None:
            with pytest.raises(subprocess.TimeoutExpired):
                process.wait(0.05)
        yield process
        end_group(process)


def test_two_directories_share_a_plain_server_that_shows_what_the_folder_has(
    store: Store, tmp_path: Path, plain: "subprocess.Popen[bytes]", capfd: pytest.CaptureFixture[str]
) -> None:
    port = int(plain.args[-1])  # type: ignore[index]  # a list
    over_http = choose(tmp_path / "mine", "digits", uri=f"http://{HOST}:{port}", environ={})
    (tmp_path / "reports").mkdir()
    (tmp_path / "reports" / "trials.csv").write_text("local")
    tracker = Tracker(store, LOCAL)
    tracker.sync(LOCAL)
    tracker.log_files(tmp_path / "reports")

    # What was written straight into the database is there, with its files.
    assert sorted(trial_runs(over_http, LOCAL.study_uid)) == [0, 1]
    run_id = study_run(over_http, LOCAL.study_uid).info.run_id
    assert [file.path for file in MlflowClient(over_http.uri).list_artifacts(run_id)] == ["trials.csv"]
    connection = http.client.HTTPConnection(HOST, port)
    connection.request("GET", f"/get-artifact?run_id={run_id}&path=trials.csv")
    assert connection.getresponse().read() == b"local"
    connection.close()

    # Two writers with a study of the same name each write their own, at once.
    stores = {"mine": over_http, "yours": choose(tmp_path / "yours", "digits", uri=over_http.uri, environ={})}
    writers = [Writer(Tracker(stores["mine"], MINE)), Writer(Tracker(stores["yours"], YOURS))]
    for mine, yours in zip(MINE.trials, YOURS.trials, strict=True):
        writers[0].put(mine)
        writers[1].put(yours)
    assert [writer.close().unwritten for writer in writers] == [(), ()]
    assert Tracker(stores["mine"], MINE).sync(MINE) == Tracker(stores["yours"], YOURS).sync(YOURS) == 0
    ids = [{run.info.run_id for run in trial_runs(over_http, study.study_uid).values()} for study in (MINE, YOURS)]
    assert [len(of) for of in ids] == [3, 3]
    assert not ids[0] & ids[1]
    (tmp_path / "reports" / "trials.csv").write_text("mine")
    Tracker(stores["mine"], MINE).log_files(tmp_path / "reports")
    artifacts = MlflowClient(over_http.uri)
    assert artifacts.list_artifacts(study_run(over_http, MINE.study_uid).info.run_id)
    assert not artifacts.list_artifacts(study_run(over_http, YOURS.study_uid).info.run_id)
    assert not (tmp_path / "mine").exists()

    # The server is killed: what is missing is said, and written when there is a way.
    end_group(plain)
    late = make_study(2)
    writer = Writer(Tracker(stores["mine"], late))
    for trial in late.trials:
        writer.put(trial)
    assert writer.close().unwritten == (0, 1)
    assert Tracker(store, late).sync(late) == 2

    assert capfd.readouterr() == ("", "")  # MLflow's chatter reached no terminal
