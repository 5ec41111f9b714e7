"""Tracking through an MLflow server that wants a name and a password, by the variables that
MLflow's own client reads.
"""

from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from experiments.errors import TrackingError
from experiments.tracking import Tracker, TrackerProcess, choose, sync_runs
from tests.mlflow_reading import trial_runs
from tests.needs import needs_module
from tests.servers import Running, plain_mlflow
from tests.studies import make_study

USER, PASSWORD = "MLFLOW_TRACKING_USERNAME", "MLFLOW_TRACKING_PASSWORD"
ADMIN, READER = ("admin", "of-the-administrator"), ("reader", "of-somebody-who-reads")
STUDY = make_study(3)


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """A server with an administrator, and with a user who may read."""
    needs_module("flask_wtf")
    environment = {
        "MLFLOW_FLASK_SERVER_SECRET_KEY": "of the test",
        "MLFLOW_AUTH_ADMIN_PASSWORD": ADMIN[1],
    }
    options = ("--app-name", "basic-auth", "--allowed-hosts", "127.0.0.1:*")
    with plain_mlflow(
        tmp_path_factory.mktemp("guarded"), *options, environment=environment
    ) as server:
        yield server


@pytest.fixture(autouse=True)
def administrator(monkeypatch: pytest.MonkeyPatch) -> None:
    be(ADMIN, monkeypatch)


def be(who: tuple[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in zip((USER, PASSWORD), who, strict=True):
        monkeypatch.setenv(name, value)


def refusal(tracker: Tracker) -> str:
    with pytest.raises(TrackingError) as caught:
        sync_runs(tracker, STUDY)
    text = str(caught.value)
    assert "\n" not in text
    assert ADMIN[1] not in text
    return text


def test_a_sweep_is_written_and_shown_with_the_name_and_password_of_the_environment(
    guarded: Running, tmp_path: Path
) -> None:
    store = choose(tmp_path, "digits", environ={"MLFLOW_TRACKING_URI": guarded.url})
    with TrackerProcess(store, STUDY) as process:
        assert sync_runs(process, STUDY).trials == 3
    tracker = Tracker(store, STUDY)
    assert not sync_runs(tracker, STUDY)
    assert sorted(trial_runs(store, STUDY.study_uid)) == [0, 1, 2]
    assert tracker.show().at(guarded.url).trials.startswith(f"{guarded.url}/#/experiments/")


@pytest.mark.parametrize("who", [("admin", "not-the-password"), ("nobody", "of-nobody-at-all")])
def test_wrong_credentials_are_one_sentence(
    guarded: Running, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, who: tuple[str, str]
) -> None:
    be(who, monkeypatch)
    store = choose(tmp_path, "digits", uri=guarded.url, environ={})
    wanted = f"MLflow at {guarded.url} does not accept these credentials; set {USER} and {PASSWORD}"
    assert refusal(Tracker(store, STUDY)).startswith(wanted)


def test_who_may_read_alone_is_told_so(
    guarded: Running, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = choose(tmp_path, "read only", uri=guarded.url, environ={})
    sync_runs(Tracker(store, make_study(1)), make_study(1))
    account = dict(zip(("username", "password"), READER, strict=True))
    requests.post(
        f"{guarded.url}/api/2.0/mlflow/users/create", json=account, auth=ADMIN, timeout=30
    ).raise_for_status()
    be(READER, monkeypatch)
    assert f"MLflow at {guarded.url} does not allow this to these credentials; " in refusal(
        Tracker(store, STUDY)
    )


def test_a_name_that_the_server_does_not_go_by_is_told_from_a_permission(
    guarded: Running, tmp_path: Path
) -> None:
    url = guarded.url.replace("127.0.0.1", "localhost")
    text = refusal(Tracker(choose(tmp_path, "digits", uri=url, environ={}), STUDY))
    assert f"MLflow at {url} does not go by this name; use one that its --allowed-hosts " in text


@pytest.mark.parametrize(
    "content",
    [b"reader:canary\n", b"[mlflow]\nmlflow_tracking_username = 50%canary\n", b"canary \xff\n"],
)
def test_a_file_of_credentials_that_cannot_be_read_is_one_sentence_without_them(
    content: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv(PASSWORD)
    (tmp_path / ".mlflow").mkdir()
    (tmp_path / ".mlflow" / "credentials").write_bytes(content)
    text = refusal(Tracker(choose(tmp_path, "digits", uri="http://127.0.0.1:9", environ={}), STUDY))
    assert text.startswith("the file ~/.mlflow/credentials is not as MLflow reads it (")
    assert "canary" not in text
