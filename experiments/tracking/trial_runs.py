"""Trial runs: which run each trial of a study has, read from MLflow's SQLite file without MLflow.

Importing what MLflow's client needs for that takes 2 s of processor time. This query answers in the
plain case alone; everything else is for the client. See
docs/decisions/0025-trial-runs-read-past-the-client.md.
"""

import sqlite3
from contextlib import closing

from experiments.records import StudyRecord
from experiments.tracking.plan import STATUS, TRIAL
from experiments.tracking.store import Store

REVISION = "dc11669786a5"  # of MLflow's tables: a test compares the query with the client there
PATIENCE = 0.2  # seconds to wait for a lock
QUERY = """
SELECT trials.value, runs.run_uuid, runs.status FROM runs
JOIN experiments ON experiments.experiment_id = runs.experiment_id
JOIN tags AS trials ON trials.run_uuid = runs.run_uuid AND trials.key = :kind
JOIN tags AS kinds ON kinds.run_uuid = runs.run_uuid AND kinds.key = 'kind'
JOIN tags AS studies ON studies.run_uuid = runs.run_uuid AND studies.key = 'study_uid'
WHERE studies.value = :study_uid AND kinds.value = :kind AND experiments.name = :experiment
AND runs.lifecycle_stage = 'active' AND experiments.lifecycle_stage = 'active'
"""


def read_trial_runs(store: Store, study: StudyRecord) -> dict[int, str] | None:
    """Return the id of each trial's run, by trial. None if that is for MLflow's client to say:
    no SQLite file, other tables, a run that was not finished, or two of one trial.
    """
    if store.file is None:
        return None
    if not store.file.exists():
        return {}
    # It only reads, but a connection that may not write leaves files of its log behind.
    existing = f"{store.file.absolute().as_uri()}?mode=rw"
    wanted = {"study_uid": study.study_uid, "kind": TRIAL, "experiment": store.experiment}
    try:
        with closing(sqlite3.connect(existing, uri=True, timeout=PATIENCE)) as connection:
            connection.execute("PRAGMA query_only = ON")
            revisions = connection.execute("SELECT version_num FROM alembic_version").fetchall()
            rows = connection.execute(QUERY, wanted).fetchall()
    except sqlite3.Error:
        return None
    ids = {trial: run_id for trial, run_id, _ in rows}
    finished = all(status in STATUS.values() for _, _, status in rows)
    if revisions != [(REVISION,)] or len(ids) < len(rows) or not finished:
        return None
    found = {one.trial: ids.get(str(one.trial)) for one in study.trials}
    return {trial: run_id for trial, run_id in found.items() if run_id}
