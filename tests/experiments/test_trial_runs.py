"""The runs of trials, read without MLflow: as its client says, or not at all."""

import dataclasses
import sqlite3
from contextlib import closing

import pytest
from mlflow import MlflowClient

from experiments.records import FAIL
from experiments.tracking import Store, Tracker, read_trial_runs, sync_runs
from experiments.tracking.trial_runs import REVISION
from tests.studies import confirmed_study, make_study, make_trial

FAILED = make_trial(3, state=FAIL, metrics=None, curves={}, error="its worker was killed")
STUDY = confirmed_study(make_study(3))
STUDY = dataclasses.replace(STUDY, trials=(*STUDY.trials, FAILED))
OTHER = make_study(2, name="other")  # in the same experiment


@pytest.fixture
def written(store: Store) -> dict[int, str]:
    """Two studies are on MLflow; the run ids of the first by trial, as the client has them."""
    for study in (OTHER, STUDY):
        sync_runs(Tracker(store, study), study)
    return Tracker(store, STUDY).run_ids()


def test_the_query_finds_what_the_client_finds(store: Store, written: dict[int, str]) -> None:
    """Fails where MLflow renamed a table or a column that the query needs, or changed its tables in
    any way: then compare the two, and set REVISION.
    """
    assert read_trial_runs(store, STUDY) == written
    assert len(written) == len(STUDY.trials)
    client = MlflowClient(store.uri)
    client.delete_run(written.pop(1))
    assert read_trial_runs(store, STUDY) == written
    started = dataclasses.replace(STUDY, trials=STUDY.trials[:1])  # the others are not its own
    assert read_trial_runs(store, started) == {0: written[0]}
    client.delete_experiment(client.get_run(written[0]).info.experiment_id)
    assert read_trial_runs(store, STUDY) == Tracker(store, STUDY).run_ids() == {}


def test_looking_makes_no_file(store: Store) -> None:
    assert store.file
    assert read_trial_runs(store, STUDY) == {}
    assert [path.name for path in store.file.parent.glob("mlflow.db*")] == ["mlflow.db"]
    store.file.unlink()
    assert read_trial_runs(store, STUDY) == {}
    assert not store.file.exists()
    store.file.write_bytes(b"no database")
    assert read_trial_runs(store, STUDY) is None


@pytest.mark.parametrize(
    "change",
    [
        f"UPDATE alembic_version SET version_num = 'not {REVISION}'",
        "ALTER TABLE runs RENAME COLUMN lifecycle_stage TO stage",
        "ALTER TABLE tags RENAME TO run_tags",
        "UPDATE runs SET status = 'RUNNING' WHERE run_uuid = :run_id",
        "UPDATE tags SET value = '0' WHERE run_uuid = :run_id AND key = 'trial'",
    ],
)
def test_the_client_is_asked_where_anything_is_unusual(
    store: Store, written: dict[int, str], change: str
) -> None:
    """Other tables, a run that a killed process left, and two runs of one trial."""
    assert store.file
    with closing(sqlite3.connect(store.file)) as connection, connection:
        connection.execute(change, {"run_id": written[1]} if ":run_id" in change else {})
    assert read_trial_runs(store, STUDY) is None


def test_a_locked_database_and_a_server_are_the_clients(store: Store) -> None:
    assert store.file
    with closing(sqlite3.connect(store.file)) as connection:
        connection.execute("PRAGMA locking_mode = EXCLUSIVE")
        connection.execute("BEGIN EXCLUSIVE")
        assert read_trial_runs(store, STUDY) is None
    server = dataclasses.replace(store, uri="http://127.0.0.1:1")
    assert read_trial_runs(server, STUDY) is None
