"""Whole runs: each written in one transaction, where MLflow's database is a SQLite file.

MLflow's client takes 19 ms for a trial with five curves, this 3. It cannot go wrong with another
MLflow: a process has its first run written by the client, and compares all tables of the database
with what would be written here. If anything differs, the client goes on. See
docs/decisions/0010-whole-runs-past-the-client.md.
"""

import sqlite3
import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from experiments.tracking.database import LONGEST_LOCK
from experiments.tracking.runs import RunPlan

RUN_NAME = "mlflow.runName"  # which MLflow keeps as a tag too
IDS = ("_id", "_uuid")  # how the columns end that can refer to a run

Row = dict[str, Any]


class WholeRuns:
    """Writes whole runs into one database, once `learn` has seen that MLflow writes the same."""

    def __init__(self, path: Path) -> None:
        self._database = sqlite3.connect(
            path, timeout=LONGEST_LOCK, isolation_level=None, check_same_thread=False
        )
        self._database.row_factory = sqlite3.Row
        # Wait for the disk at checkpoints alone: nothing can be torn by that, and what a power cut
        # may lose is written again from the study.
        self._database.execute("PRAGMA synchronous = NORMAL")
        self._pattern: Row | None = None

    def learn(self, plan: RunPlan, run_id: str, experiment_id: str, location: str) -> None:
        """Compare what MLflow's client has just written with what would be written here."""
        there = self._read(run_id)
        pattern = next(iter(there.get("runs", ())), {})
        if _sorted(there) == _sorted(_rows(plan, run_id, experiment_id, location, pattern)):
            self._pattern = pattern

    def write(self, plan: RunPlan, experiment_id: str, location: str) -> str | None:
        """The id of the run that was written; None if MLflow was not seen to write the same, or if
        the experiment is not active, for which the client has words. Raises sqlite3.Error.
        """
        if self._pattern is None:
            return None
        run_id = uuid.uuid4().hex
        stage = "SELECT lifecycle_stage FROM experiments WHERE experiment_id = ?"
        with self._database:
            self._database.execute("BEGIN IMMEDIATE")
            if self._database.execute(stage, (experiment_id,)).fetchone()[0] != "active":
                return None
            for table, rows in _rows(plan, run_id, experiment_id, location, self._pattern).items():
                for row in rows[:1]:
                    names = ", ".join(row)
                    values = ", ".join(f":{name}" for name in row)
                    insert = f"INSERT INTO {table} ({names}) VALUES ({values})"
                    self._database.executemany(insert, rows)
        return run_id

    def _read(self, run_id: str) -> dict[str, list[Row]]:
        found: dict[str, list[Row]] = {}
        tables = self._database.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
        for (table,) in tables.fetchall():
            columns = [row["name"] for row in self._database.execute(f"PRAGMA table_info({table})")]
            ids = [f"{name} = :run_id" for name in columns if name.endswith(IDS)]
            query = f"SELECT * FROM {table} WHERE {' OR '.join(ids) or 'false'}"
            if rows := self._database.execute(query, {"run_id": run_id}).fetchall():
                found[table] = [dict(row) for row in rows]
        return found


def _rows(
    plan: RunPlan, run_id: str, experiment_id: str, location: str, pattern: Row
) -> dict[str, list[Row]]:
    """The rows of a run, by table; `pattern` is a row of runs, for what all have alike."""
    run = {
        "run_uuid": run_id,
        "name": plan.name,
        "experiment_id": int(experiment_id),
        "artifact_uri": f"{location}/{run_id}/artifacts",
        "status": plan.status,
        "start_time": plan.started,
        "end_time": plan.ended,
    }
    metrics = [
        {
            "key": point.name,
            "value": float(point.value),
            "timestamp": point.time,
            "step": point.step,
            "is_nan": 0,
            "run_uuid": run_id,
        }
        for point in plan.points()
    ]
    return {
        "runs": [pattern | run],
        "tags": _pairs({**plan.tags, RUN_NAME: plan.name}, run_id),
        "params": _pairs(plan.params, run_id),
        "metrics": metrics,
        # Of each metric the last step: it comes last in the plan.
        "latest_metrics": list({metric["key"]: metric for metric in metrics}.values()),
    }


def _pairs(pairs: Mapping[str, str], run_id: str) -> list[Row]:
    return [{"key": key, "value": value, "run_uuid": run_id} for key, value in pairs.items()]


def _sorted(tables: Mapping[str, list[Row]]) -> dict[str, list[list[tuple[str, str]]]]:
    return {
        table: sorted(sorted((key, repr(value)) for key, value in row.items()) for row in rows)
        for table, rows in tables.items()
        if rows
    }
