"""Whole runs: what is written past MLflow's client is what the client writes, in every table of the
database.
"""

import dataclasses
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from mlflow import MlflowClient

from experiments.errors import TrackingError
from experiments.records import FAIL, StudyRecord
from experiments.tracking import Tracker, audit_runs, choose
from experiments.tracking.plan import trial_plan
from tests.studies import make_study, make_trial


@pytest.fixture
def study() -> StudyRecord:
    made = make_study(6, epochs=4)
    error = "its worker was killed"
    failed = make_trial(6, state=FAIL, metrics=None, curves={}, error=error)
    return dataclasses.replace(made, trials=(*made.trials, dataclasses.replace(failed, epochs=0)))


def tracker(folder: Path, made: Path, study: StudyRecord) -> Tracker:
    folder.mkdir(exist_ok=True)
    (folder / "mlflow.db").write_bytes(made.read_bytes())
    store = choose(folder, study.experiment.name, environ={})
    return Tracker(store, dataclasses.replace(study, trials=()))


def is_ready(tracker: Tracker) -> bool:
    assert tracker._whole_runs
    return tracker._whole_runs._pattern is not None


def rows(folder: Path) -> dict[str, list[tuple[str, ...]]]:
    """Every row of every table, with names in place of the ids of runs; but for those that say when
    and where a database was made.
    """
    found = {}
    with closing(sqlite3.connect(folder / "mlflow.db")) as connection:
        names = dict(connection.execute("SELECT run_uuid, name FROM runs"))
        tables = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
        for (table,) in tables.fetchall():
            cells = [list(map(repr, row)) for row in connection.execute(f'SELECT * FROM "{table}"')]
            for run_id, name in [*names.items(), (str(folder), "")]:
                cells = [[cell.replace(run_id, name) for cell in row] for row in cells]
            if table not in ("experiments", "workspaces"):
                found[table] = sorted(map(tuple, cells))
    return found


def test_every_table_is_as_the_client_writes_it(
    study: StudyRecord, made: Path, tmp_path: Path
) -> None:
    whole = tracker(tmp_path / "whole", made, study)
    calls = tracker(tmp_path / "calls", made, study)
    for trial in study.trials:
        whole.write(trial_plan(study, trial))
        calls._whole_runs = None
        calls.write(trial_plan(study, trial))
    assert is_ready(whole)
    for one in (whole, calls):
        one.finish(study)
    there, wanted = rows(tmp_path / "whole"), rows(tmp_path / "calls")
    assert there == wanted
    assert len(there["runs"]) == 1 + len(study.trials)


@pytest.mark.parametrize(
    "change",
    [
        "INSERT INTO tags (key, value, run_uuid) VALUES ('mlflow.new', '1', NEW.run_uuid)",
        "UPDATE runs SET artifact_uri = artifact_uri || '/new' WHERE run_uuid = NEW.run_uuid",
        "INSERT INTO run_owners VALUES (NEW.run_uuid, 'somebody')",
    ],
)
def test_if_mlflow_keeps_runs_in_another_way_its_client_goes_on(
    study: StudyRecord, made: Path, tmp_path: Path, change: str
) -> None:
    """A new tag, another value, and a table that no MLflow has yet."""
    changed = tracker(tmp_path, made, study)
    with closing(sqlite3.connect(tmp_path / "mlflow.db")) as connection:
        connection.execute("CREATE TABLE run_owners (owned_run_id TEXT, owner TEXT)")
        connection.execute(f"CREATE TRIGGER another AFTER INSERT ON runs BEGIN {change}; END")
    for trial in study.trials[:2]:
        changed.write(trial_plan(study, trial))
    assert not is_ready(changed)
    assert audit_runs(changed, study).missing("trial") == ["2", "3", "4", "5", "6"]


def test_an_experiment_that_is_deleted_meanwhile_is_said(
    study: StudyRecord, made: Path, tmp_path: Path
) -> None:
    writing = tracker(tmp_path, made, study)
    for trial in study.trials[:2]:
        writing.write(trial_plan(study, trial))
    client = MlflowClient(writing.store.uri)
    experiment = client.get_experiment_by_name("digits")
    assert experiment
    client.delete_experiment(experiment.experiment_id)
    with pytest.raises(TrackingError, match="deleted"):
        writing.call(Tracker.write, trial_plan(study, study.trials[2]))
