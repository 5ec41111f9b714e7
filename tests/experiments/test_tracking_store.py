"""Which MLflow is written to, and what a message may say of it."""

import dataclasses
import sqlite3
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import mlflow
import pytest
from alembic import command
from alembic.config import Config
from mlflow.store.tracking.dbmodels import initial_models
from sqlalchemy import create_engine

from experiments.errors import DatabaseError, InputError, TrackingError
from experiments.records import StudyRecord
from experiments.redaction import redacted
from experiments.tracking import (
    Store,
    SyncedRuns,
    Tracker,
    TrackerProcess,
    choose,
    database,
    sync_runs,
)
from tests.studies import make_study

HOME, SERVER = Path("/home"), "http://127.0.0.1:5000"
ELSEWHERE = "sqlite:////elsewhere/runs.db"
STUDY = make_study(1)


@pytest.mark.parametrize(
    ("option", "variable", "uri"),
    [
        (None, "", "sqlite:////home/mlflow.db"),
        (None, SERVER, SERVER),
        (ELSEWHERE, SERVER, ELSEWHERE),
        (f"{SERVER}/", "", SERVER),
        ("databricks", "", "databricks"),
        ("sqlite:///runs.db", "", f"sqlite:///{Path.cwd()}/runs.db"),
    ],
)
def test_the_option_precedes_the_environment_and_that_the_directory(
    option: str | None, variable: str, uri: str
) -> None:
    environ = {"MLFLOW_TRACKING_URI": variable}
    assert choose(HOME, "digits", uri=option, environ=environ).uri == uri


def test_the_environment_names_the_mlflow_experiment_before_the_file_does() -> None:
    assert choose(HOME, "digits", environ={}).experiment == "digits"
    environ = {"MLFLOW_EXPERIMENT_NAME": "ours"}
    assert choose(HOME, "digits", environ=environ).experiment == "ours"


@pytest.mark.parametrize(
    ("uri", "shown"),
    [
        ("./mlruns", "./mlruns: MLflow no longer keeps runs in a folder"),
        ("file:mlruns", "file:mlruns: MLflow no longer keeps runs in a folder"),
        ("sqlite:///", "sqlite:///: a database in memory"),
        ("sqlite:///:memory:", "sqlite:///:memory:: a database in memory"),
        ("htp://127.0.0.1:5000", "htp://127.0.0.1:5000: MLflow knows no store of this kind"),
        ("nosuch://me:s3cret@host/db", "nosuch://host/db: MLflow knows no store of this kind"),
        ("http://me:s3cret/@host", "not a URL"),
    ],
)
def test_what_mlflow_cannot_keep_is_refused_without_the_password(uri: str, shown: str) -> None:
    with pytest.raises(InputError, match=r"^--tracking-uri is ") as caught:
        choose(HOME, "digits", uri=uri, environ={})
    assert shown in str(caught.value)
    assert "s3cret" not in str(caught.value)


def test_a_store_that_a_package_brings_mlflow_is_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = tmp_path / "theirs-1.0.dist-info"
    package.mkdir()
    (package / "METADATA").write_text("Metadata-Version: 2.1\nName: theirs\nVersion: 1.0\n")
    (package / "entry_points.txt").write_text("[mlflow.tracking_store]\ntheirs = theirs:Store\n")
    monkeypatch.syspath_prepend(tmp_path)
    uri = "theirs://somewhere"
    assert choose(HOME, "digits", uri=uri, environ={}).uri == uri


@pytest.mark.parametrize("name", ["what?", "a%20b"])
def test_a_path_that_a_url_would_change_is_refused(name: str) -> None:
    with pytest.raises(InputError, match=r"^/home/.*mlflow.db.*choose another --directory"):
        choose(HOME / name, "digits", environ={})


@pytest.mark.parametrize("name", ["digits", "größe 1.0", "../up", "a/b", "...", "50%"])
def test_artifacts_stay_in_the_directory_whatever_the_experiment_is_called(name: str) -> None:
    location = choose(HOME, name, environ={}).artifact_location
    assert location
    folder = Path(location.removeprefix("file://"))
    assert folder.parent == HOME / "mlruns"
    assert folder.name not in {"", ".", ".."}


def test_a_server_keeps_artifacts_where_it_likes() -> None:
    assert choose(HOME, "digits", uri=SERVER, environ={}).artifact_location is None


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


@pytest.mark.parametrize("scheme", ["http", "postgresql+psycopg"])
def test_what_does_not_answer_is_said_in_one_sentence_without_the_password(scheme: str) -> None:
    uri = f"{scheme}://me:s3cret@127.0.0.1:9/db"  # the discard port: nobody listens there
    with pytest.raises(TrackingError, match=r"sweeps sync") as caught:
        Tracker(choose(HOME, "digits", uri=uri, environ={}), STUDY).open()
    assert "s3cret" not in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_file_that_is_no_database_and_a_folder_that_is_none_are_said(tmp_path: Path) -> None:
    file = tmp_path / "mlflow.db"
    file.write_bytes(b"this is no database, and long enough to be read as one" * 20)
    with pytest.raises(TrackingError, match="not a database"):
        Tracker(choose(tmp_path, "digits", environ={}), STUDY).open()
    with pytest.raises(TrackingError, match=r"\((File exists|Not a directory)\)"):
        sync_runs(Tracker(choose(file, "digits", environ={}), STUDY), STUDY)


def old_database(path: Path) -> None:
    """Make one as MLflow 3.1 did, with the migrations of the MLflow that is here."""
    initial_models.Base.metadata.create_all(create_engine(f"sqlite:///{path}"))
    migrations = Path(mlflow.__file__).parent / "store" / "db_migrations"
    config = Config(migrations / "alembic.ini")
    config.set_main_option("script_location", str(migrations))
    config.set_main_option("sqlalchemy.url", f"sqlite:///{path}")
    command.upgrade(config, "6953534de441")


@pytest.mark.parametrize("own", [True, False])
@pytest.mark.parametrize(
    ("revision", "said"),
    [
        (None, "the tables of an older MLflow.*mlflow db upgrade sqlite"),
        ("f" * 12, "a newer MLflow"),
    ],
)
def test_a_database_of_another_mlflow_is_refused_and_not_touched(
    tmp_path: Path, own: bool, revision: str | None, said: str
) -> None:
    old_database(file := tmp_path / "mlflow.db")
    if revision:
        with closing(sqlite3.connect(file)) as connection, connection:
            connection.execute("UPDATE alembic_version SET version_num = ?", (revision,))
    before = file.read_bytes()
    uri = None if own else f"sqlite:///{file}"
    with pytest.raises(DatabaseError, match=said):
        sync_runs(Tracker(choose(tmp_path, "digits", uri=uri, environ={}), STUDY), STUDY)
    assert file.read_bytes() == before
    assert [path.name for path in tmp_path.iterdir()] == ["mlflow.db"]


def flipped(data: bytes) -> bytes:
    """Change the last page, which nothing here reads."""
    return data[:-4096] + b"\xff" * 8 + data[8 - 4096 :]


@pytest.mark.parametrize(
    "damage", [lambda data: b"no database" * 99, lambda data: data[:50_000], flipped, None]
)
def test_a_broken_database_is_named_with_its_remedy(
    store: Store, damage: Callable[[bytes], bytes] | None
) -> None:
    assert store.file
    if damage:
        store.file.write_bytes(damage(store.file.read_bytes()))
    else:
        with closing(sqlite3.connect(store.file)) as connection, connection:
            connection.execute("DROP TABLE runs")
    remedy = r"is broken \(.*\); nothing of the study is lost: set it aside.*sweeps sync --fresh$"
    with pytest.raises(DatabaseError, match=remedy):
        sync_runs(Tracker(store, STUDY), STUDY)
    other = choose(Path("/"), "digits", uri=store.uri, environ={})
    with pytest.raises(DatabaseError, match="restore a copy of it, or move it away"):
        sync_runs(Tracker(other, STUDY), STUDY)


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
    assert done == [SyncedRuns(trials=2, settings=0, deleted=0, study=True)] * 2
    assert not list(tmp_path.glob(".*"))
    before = (tmp_path / "mlflow.db").read_bytes()
    assert before[18:20] == b"\x02\x02"  # WAL: https://www.sqlite.org/fileformat.html
    database.make(tmp_path / "mlflow.db")
    assert (tmp_path / "mlflow.db").read_bytes() == before  # one that is there is left alone
