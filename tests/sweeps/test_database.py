"""What a driver writes into a database is what Optuna would write."""

import math
from pathlib import Path
from typing import Any

import optuna
import pytest
import sqlalchemy
from optuna.distributions import CategoricalDistribution, FloatDistribution
from optuna.storages import RDBStorage
from optuna.trial import FrozenTrial, TrialState, create_trial

from sweeps.storage.database import OURS, Database
from sweeps.storage.retry import Patience

KINDS = {
    "size": FloatDistribution(1e-6, 1.0, log=True),
    "way": CategoricalDistribution(["off", "on"]),
}
ATTRIBUTES = {OURS: 0, "names": ["Zürich", None], "diverged": False, "seconds": 0.1}
STEPS = {1: 0.25, 2: math.nan, 3: math.inf, 4: -math.inf, 7: 1e-300}


def whole(state: TrialState, **changes: Any) -> FrozenTrial:
    given: dict[str, Any] = {
        "params": {"size": 0.01, "way": "on"},
        "distributions": KINDS,
        "user_attrs": ATTRIBUTES,
        "system_attrs": {"curves": "x" * 5_000},
        "intermediate_values": STEPS,
        **changes,
    }
    return create_trial(state=state, value=0.5 if state == TrialState.COMPLETE else None, **given)


TRIALS = [
    whole(TrialState.COMPLETE),
    whole(TrialState.FAIL, params={}, distributions={}, intermediate_values={}, system_attrs={}),
    whole(TrialState.COMPLETE, intermediate_values={}),
]


def rows(storage: RDBStorage) -> dict[str, list[tuple[Any, ...]]]:
    """All that is in the database, by table."""
    metadata = sqlalchemy.MetaData()
    metadata.reflect(storage.engine)
    with storage.engine.connect() as connection:
        return {
            table.name: [tuple(row) for row in connection.execute(table.select())]
            for table in metadata.sorted_tables
        }


@pytest.fixture
def ours(tmp_path: Path) -> Database:
    return Database(f"sqlite:///{tmp_path}/ours.db", Patience())


def test_every_row_is_as_optuna_writes_it(tmp_path: Path, ours: Database) -> None:
    theirs = RDBStorage(f"sqlite:///{tmp_path}/theirs.db")
    for storage in (ours, theirs):
        optuna.create_study(storage=storage, study_name="one")
    last = None
    for number, trial in enumerate(TRIALS):
        theirs.create_new_trial(1, trial)
        last, given = ours.add(1, trial, last)
        assert given == number
    written = rows(ours)
    assert written == rows(theirs)
    assert {
        name: len(written[name]) for name in ("trials", "trial_params", "trial_user_attributes")
    } == {
        "trials": 3,
        "trial_params": 4,
        "trial_user_attributes": 12,
    }
    ours.engine.dispose()
    theirs.engine.dispose()


def test_a_trial_takes_few_statements_however_many_steps_it_has(ours: Database) -> None:
    """Over a network each of them is a way there and back."""
    optuna.create_study(storage=ours, study_name="one")
    statements: list[str] = []
    sqlalchemy.event.listen(
        ours.engine, "before_cursor_execute", lambda *call: statements.append(call[2])
    )
    ours.add(
        1, whole(TrialState.COMPLETE, intermediate_values=dict.fromkeys(range(1, 1_001), 0.5)), None
    )
    looks = [text for text in statements if text.startswith("SELECT")]
    assert 0 < len(looks) < 10  # it was four for every step and attribute
    ours.engine.dispose()
