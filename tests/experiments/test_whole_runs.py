"""Whole runs: what is written past MLflow's client is what the client writes, in every table of the
database.
"""

import dataclasses
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from experiments.errors import TrackingError
from experiments.records import FAIL, StudyRecord
from experiments.tracking import Tracker, choose
from experiments.tracking.runs import Point
from tests.studies import make_study, make_trial


@pytest.fixture
def study() -> StudyRecord:
    made = make_study(6, epochs=4)
    failed = dataclasses.replace(
        make_trial(6), state=FAIL, metrics=None, curves={}, epochs=0, error="its worker was killed"
    )
    return dataclasses.replace(made, trials=(*made.trials, failed))


def tracker(folder: Path, study: StudyRecord) -> Tracker:
    made = Tracker(
        choose(folder, study.experiment, uri=None, environ={}),
        dataclasses.replace(study, trials=()),
    )
    made.open()
    return made


def rows(folder: Path) -> dict[str, list[tuple[str, ...]]]:
    """Every row of every table, with names in place of the ids of runs."""
    found = {}
    with closing(sqlite3.connect(folder / "mlflow.db")) as connection:
        names = dict(connection.execute("SELECT run_uuid, name FROM runs"))
        for (table,) in connection.execute(
            "SELECT name FROM sqlite_master WHERE type = 'table'"
        ).fetchall():
            cells = [list(map(repr, row)) for row in connection.execute(f'SELECT * FROM "{table}"')]
            for run_id, name in names.items():
                cells = [
                    [cell.replace(run_id, name).replace(str(folder), "") for cell in row]
                    for row in cells
                ]
            found[table] = sorted(map(tuple, cells))
    return found


def moving(table: str, row: tuple[str, ...]) -> bool:
    """Whether a row is of when and where a database was made."""
    return table in ("experiments", "workspaces") or "default" in row


def test_every_table_is_as_the_client_writes_it(study: StudyRecord, tmp_path: Path) -> None:
    whole, calls = tracker(tmp_path / "whole", study), tracker(tmp_path / "calls", study)
    for trial in study.trials:
        whole.write(trial)
        calls._ledger._whole_runs = None
        calls.write(trial)
    assert whole._ledger._whole_runs is not None
    assert whole._ledger._whole_runs.ready
    for made in (whole, calls):
        made.finish(study)
        assert made.missing(study.trials) == []
    there, wanted = rows(tmp_path / "whole"), rows(tmp_path / "calls")
    assert there.keys() == wanted.keys()
    for table in wanted:
        assert [row for row in there[table] if not moving(table, row)] == [
            row for row in wanted[table] if not moving(table, row)
        ]
    assert len(there["runs"]) == 1 + len(study.trials)


@pytest.mark.parametrize(
    "change",
    [
        "INSERT INTO tags (key, value, run_uuid) VALUES ('mlflow.new', '1', NEW.run_uuid)",
        "UPDATE runs SET artifact_uri = artifact_uri || '/new' WHERE run_uuid = NEW.run_uuid",
    ],
)
def test_where_mlflow_keeps_runs_in_another_way_its_client_goes_on(
    study: StudyRecord, tmp_path: Path, change: str
) -> None:
    made = tracker(tmp_path, study)
    with closing(sqlite3.connect(tmp_path / "mlflow.db")) as connection:
        connection.execute(f"CREATE TRIGGER another AFTER INSERT ON runs BEGIN {change}; END")
    for trial in study.trials:
        made.write(trial)
    assert made._ledger._whole_runs is not None
    assert not made._ledger._whole_runs.ready
    assert made.missing(study.trials) == []


def test_an_experiment_that_is_deleted_meanwhile_is_said(
    study: StudyRecord, tmp_path: Path
) -> None:
    from mlflow import MlflowClient

    made = tracker(tmp_path, study)
    for trial in study.trials[:2]:
        made.write(trial)
    client = MlflowClient(made.store.uri)
    experiment = client.get_experiment_by_name(study.experiment)
    assert experiment is not None
    client.delete_experiment(experiment.experiment_id)
    with pytest.raises(TrackingError, match="deleted"):
        made.write(study.trials[2])


def test_curves_are_read_as_the_client_reads_them(study: StudyRecord, tmp_path: Path) -> None:
    there = tracker(tmp_path, study)
    run_id, names = there.write(study.trials[1]).run_id, ("data_loss", "val_accuracy", "not_there")
    client = there._ledger.client()
    client.log_metric(run_id, "val_accuracy", float("nan"), timestamp=7, step=9)
    client.log_metric(run_id, "val_accuracy", float("inf"), timestamp=8, step=10)
    read = there._ledger.histories(run_id, names)
    there._ledger._whole_runs = None
    assert repr(sorted_points(read)) == repr(sorted_points(there._ledger.histories(run_id, names)))
    assert len(read["val_accuracy"]) == 6
    assert read["not_there"] == set()


def sorted_points(curves: dict[str, set[Point]]) -> dict[str, list[Point]]:
    """By step: NaN, which equals nothing, is compared as it is written."""
    return {name: sorted(points, key=lambda point: point.step) for name, points in curves.items()}
