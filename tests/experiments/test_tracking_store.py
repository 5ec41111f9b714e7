"""Which MLflow is written to, and what a message may say of it."""

import dataclasses
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from experiments.errors import InputError, TrackingError
from experiments.records import StudyRecord
from experiments.redaction import redacted
from experiments.tracking import SyncedRuns, Tracker, TrackerProcess, choose, database, sync_runs
from experiments.tracking.plan import trial_plan
from tests.studies import make_study

SERVER = "http://127.0.0.1:5000"


@pytest.mark.parametrize(
    ("option", "environ", "uri"),
    [
        (None, {}, "sqlite:////home/mlflow.db"),
        (None, {"MLFLOW_TRACKING_URI": ""}, "sqlite:////home/mlflow.db"),
        (None, {"MLFLOW_TRACKING_URI": SERVER}, SERVER),
        (
            "sqlite:////elsewhere/runs.db",
            {"MLFLOW_TRACKING_URI": SERVER},
            "sqlite:////elsewhere/runs.db",
        ),
        (f"{SERVER}/", {}, SERVER),
        ("databricks", {}, "databricks"),
    ],
)
def test_the_option_precedes_the_environment_and_that_the_directory(
    option: str | None, environ: dict[str, str], uri: str
) -> None:
    assert choose(Path("/home"), "digits", uri=option, environ=environ).uri == uri


def test_the_environment_names_the_mlflow_experiment_before_the_file_does() -> None:
    assert choose(Path("/home"), "digits", environ={}).experiment == "digits"
    assert (
        choose(Path("/home"), "digits", environ={"MLFLOW_EXPERIMENT_NAME": "ours"}).experiment
        == "ours"
    )


def test_a_relative_database_is_relative_to_the_working_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert (
        choose(Path("/home"), "digits", uri="sqlite:///runs.db", environ={}).file
        == tmp_path / "runs.db"
    )


@pytest.mark.parametrize(
    "uri",
    [
        "mlruns",
        "./mlruns",
        "file:///tmp/mlruns",
        "file:mlruns",
        "sqlite://",
        "sqlite:///",
        "sqlite:///:memory:",
        "htp://127.0.0.1:5000",
        "redis://host",
    ],
)
def test_what_mlflow_cannot_keep_is_refused(uri: str) -> None:
    with pytest.raises(InputError, match="--tracking-uri") as caught:
        choose(Path("/home"), "digits", uri=uri, environ={})
    assert uri in str(caught.value)
    assert "sqlite:///mlflow.db" in str(caught.value)


def test_what_is_refused_is_said_without_the_password() -> None:
    with pytest.raises(
        InputError,
        match=r"^--tracking-uri is nosuch://[^:]*host/db: MLflow knows no store of this kind",
    ) as caught:
        choose(Path("/home"), "digits", uri="nosuch://me:s3cret@host/db", environ={})
    assert "s3cret" not in str(caught.value)


def test_a_store_that_a_package_brings_mlflow_is_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = tmp_path / "theirs-1.0.dist-info"
    package.mkdir()
    (package / "METADATA").write_text("Metadata-Version: 2.1\nName: theirs\nVersion: 1.0\n")
    (package / "entry_points.txt").write_text("[mlflow.tracking_store]\ntheirs = theirs:Store\n")
    monkeypatch.syspath_prepend(tmp_path)
    assert (
        choose(Path("/home"), "digits", uri="theirs://somewhere", environ={}).uri
        == "theirs://somewhere"
    )


def test_a_path_that_no_url_can_hold_is_refused() -> None:
    with pytest.raises(InputError, match=r"/home/what\?/mlflow.db"):
        choose(Path("/home/what?"), "digits", environ={})


@pytest.mark.parametrize("name", ["digits", "größe 1.0", "../up", "a/b", "...", "50%"])
def test_artifacts_stay_in_the_directory_whatever_the_experiment_is_called(
    tmp_path: Path, name: str
) -> None:
    location = choose(tmp_path, name, environ={}).artifact_location
    assert location is not None
    folder = Path(location.removeprefix("file://"))
    assert folder.parent == tmp_path / "mlruns"
    assert folder.name not in {"", ".", ".."}


def test_a_server_keeps_artifacts_where_it_likes() -> None:
    assert choose(Path("/home"), "digits", uri=SERVER, environ={}).artifact_location is None


@pytest.mark.parametrize(
    "text",
    [
        "https://me:s3cret@host:1/x",
        "no answer from http://s3cret@host, again",
        "postgresql+psycopg://me:p@s3cret@host/db",
        "mysql://host/db?password=s3cret",
        "'https://me:s3cret@host/' and \"http://you:s3cret@host\"",
    ],
)
def test_no_secret_of_a_url_is_said(text: str) -> None:
    assert "s3cret" not in redacted(text)
    assert "host" in redacted(text)


@pytest.mark.parametrize(
    "uri",
    [
        "http://me:s3cret@127.0.0.1:9",  # the discard port: nobody listens there
        "postgresql+psycopg://me:s3cret@127.0.0.1:9/db",
    ],
)
def test_what_does_not_answer_is_said_at_once_in_one_sentence_without_the_password(
    uri: str,
) -> None:
    study = make_study(1)
    tracker = Tracker(choose(Path("/home"), "digits", uri=uri, environ={}), study)
    with pytest.raises(TrackingError) as caught:
        tracker.call(Tracker.write, trial_plan(study, study.trials[0]))
    assert "s3cret" not in str(caught.value)
    assert "sweeps sync" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_database_that_is_none_is_said(tmp_path: Path) -> None:
    (tmp_path / "mlflow.db").write_bytes(
        b"this is no database, and long enough to be read as one" * 20
    )
    with pytest.raises(TrackingError, match="not a database"):
        Tracker(choose(tmp_path, "digits", environ={}), make_study(1)).open()


def test_a_folder_that_cannot_be_made_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    study = make_study(1)
    with pytest.raises(TrackingError, match=r"\(File exists\)"):
        sync_runs(Tracker(choose(tmp_path / "file", "digits", environ={}), study), study)


@pytest.mark.parametrize("name", ["what?", "a%20b"])
def test_a_path_that_a_url_would_change_is_refused(name: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"choose another --directory"):
        choose(tmp_path / name, "digits", environ={})


def test_processes_that_make_one_database_at_once_all_get_it_whole(tmp_path: Path) -> None:
    """Each of them writes a study; the tables are made once, in WAL, and nothing is left over."""
    (tmp_path / "mlflow.db-wal").write_bytes(b"of a database that was deleted")
    studies = [make_study(2), make_study(2)]
    store = choose(tmp_path, "digits", environ={})

    def write(study: StudyRecord) -> SyncedRuns:
        with TrackerProcess(store, dataclasses.replace(study, trials=())) as tracker:
            return sync_runs(tracker, study)

    with ThreadPoolExecutor(2) as threads:
        done = list(threads.map(write, studies))
    assert done == [SyncedRuns(trials=2, networks=0, deleted=0, study=True)] * 2
    assert not list(tmp_path.glob(".*"))
    header = (tmp_path / "mlflow.db").read_bytes()[18:20]
    assert header == b"\x02\x02"  # WAL: https://www.sqlite.org/fileformat.html, bytes 18 and 19


def test_a_database_that_somebody_else_has_just_made_is_left_alone(made: Path) -> None:
    before = made.read_bytes()
    database.make(made)
    assert made.read_bytes() == before
