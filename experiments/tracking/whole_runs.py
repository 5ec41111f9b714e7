"""Whole runs: each written in one transaction, through MLflow's own tables, where MLflow's database
is a file of ours.

MLflow's client makes 170 objects and thirty queries of a trial with five curves, which takes it 19
ms. As rows they take 3. So that this cannot go wrong with any release of MLflow, a process has its
first run written by the client, reads it back, and compares it, column by column, with what would
have been written here: where they differ, the client goes on. See
docs/decisions/0010-whole-runs-past-the-client.md.
"""

import math
import uuid
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from experiments.tracking.runs import Point

if TYPE_CHECKING:
    from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore

TABLES = ("runs", "tags", "params", "metrics", "latest_metrics")
RUN_NAME = "mlflow.runName"  # which MLflow keeps as a tag too

Row = dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class WholeRun:
    """A run with all that it will ever have. Times in milliseconds; `location` is where its
    experiment keeps artifacts.
    """

    experiment_id: str
    location: str
    name: str
    status: str
    started: int
    ended: int
    tags: Mapping[str, str]
    params: Mapping[str, str]
    points: Sequence[Point]


class WholeRuns:
    """Writes whole runs into one database, once `learn` has seen that MLflow writes the same."""

    def __init__(self, store: "SqlAlchemyStore") -> None:
        from mlflow.store.db.base_sql_model import Base

        self._store, self._tables = store, Base.metadata.tables
        self._pattern: Row | None = None

    @property
    def ready(self) -> bool:
        """Whether runs can be written."""
        return self._pattern is not None

    def learn(self, run: WholeRun, run_id: str) -> None:
        """Compare what MLflow's client has just written with what would have been written here."""
        there = self._read(run_id)
        pattern = next(iter(there["runs"]), {})
        same = all(
            _sorted(rows) == _sorted(there[name])
            for name, rows in _rows(run, run_id, pattern).items()
        )
        self._pattern = pattern if same else None

    def write(self, run: WholeRun) -> str | None:
        """The id of the run that was written; None where its experiment is not active, which the
        client has words for.

        Raises MlflowException.
        """
        from sqlalchemy import insert, select

        assert self._pattern is not None
        run_id, experiments = uuid.uuid4().hex, self._tables["experiments"]
        of_this = experiments.c.experiment_id == int(run.experiment_id)
        with self._store.ManagedSessionMaker(read_only=False) as session:
            if (
                session.execute(select(experiments.c.lifecycle_stage).where(of_this)).scalar()
                != "active"
            ):
                return None
            for name, rows in _rows(run, run_id, self._pattern).items():
                if rows:
                    session.execute(insert(self._tables[name]), rows)
        return run_id

    def histories(self, run_id: str, names: Collection[str]) -> dict[str, set[Point]]:
        """The points of metrics of a run. MLflow's client makes an object of each, and takes five
        times as long.
        """
        from sqlalchemy import select

        table = self._tables["metrics"]
        columns = (table.c.key, table.c.value, table.c.timestamp, table.c.step, table.c.is_nan)
        found: dict[str, set[Point]] = {name: set() for name in names}
        with self._store.ManagedSessionMaker() as session:
            for name, value, time, step, is_nan in session.execute(
                select(*columns).where(table.c.run_uuid == run_id)
            ):
                if name in found:
                    found[name].add(Point(name, math.nan if is_nan else value, time, step))
        return found

    def _read(self, run_id: str) -> dict[str, list[Row]]:
        """The rows of a run, by table."""
        from sqlalchemy import select

        with self._store.ManagedSessionMaker() as session:
            return {
                name: [
                    dict(row)
                    for row in session.execute(
                        select(self._tables[name]).where(self._tables[name].c.run_uuid == run_id)
                    ).mappings()
                ]
                for name in TABLES
            }


def _rows(run: WholeRun, run_id: str, pattern: Row) -> dict[str, list[Row]]:
    """The rows of a run, by table. `pattern` is the row of another run in the table of runs, for
    what all have alike.
    """
    from mlflow.utils.uri import append_to_uri_path

    own = {
        "run_uuid": run_id,
        "name": run.name,
        "experiment_id": int(run.experiment_id),
        "artifact_uri": append_to_uri_path(run.location, run_id, "artifacts"),  # type: ignore[no-untyped-call]
        "status": run.status,
        "start_time": run.started,
        "end_time": run.ended,
    }
    last: dict[str, Point] = {}
    for point in run.points:
        if point.name not in last or _age(point) > _age(last[point.name]):
            last[point.name] = point
    return {
        "runs": [pattern | own],
        "tags": _pairs({**run.tags, RUN_NAME: run.name}, run_id),
        "params": _pairs(run.params, run_id),
        "metrics": [_metric(point, run_id) for point in dict.fromkeys(run.points)],
        "latest_metrics": [_metric(point, run_id) for point in last.values()],
    }


def _age(point: Point) -> tuple[int, int, float]:
    """By which of two points of a metric MLflow takes for the later one."""
    return point.step, point.time, point.value


def _pairs(pairs: Mapping[str, str], run_id: str) -> list[Row]:
    return [{"key": key, "value": value, "run_uuid": run_id} for key, value in pairs.items()]


def _metric(point: Point, run_id: str) -> Row:
    return {
        "key": point.name,
        "value": float(point.value),
        "timestamp": point.time,
        "step": point.step,
        "is_nan": False,
        "run_uuid": run_id,
    }


def _sorted(rows: Sequence[Row]) -> list[list[tuple[str, str]]]:
    return sorted(sorted((key, repr(value)) for key, value in row.items()) for row in rows)
