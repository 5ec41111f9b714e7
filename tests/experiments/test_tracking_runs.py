"""The equality of a run as it must be and as it is, and what becomes of one that differs."""

import dataclasses
from typing import Any

import pytest
from mlflow import MlflowClient

from experiments.records import FAIL
from experiments.tracking import Store, Tracker, audit_runs, sync_runs
from experiments.tracking.plan import study_plan, trial_plan
from experiments.tracking.runs import PARENT, RunPlan, RunState
from tests.mlflow_reading import trial_runs
from tests.studies import make_study, make_trial

DATA = {"digest": "a" * 64, "features": 64, "rows": {"training": 9, "validation": 3, "test": 0}}
STUDY = dataclasses.replace(make_study(3), data=DATA)
TRIAL = trial_plan(STUDY, STUDY.trials[1])
BELOW = dataclasses.replace(TRIAL, tags={**TRIAL.tags, PARENT: "above"})
FAILED = trial_plan(STUDY, make_trial(2, state=FAIL, metrics=None, curves={}, error="killed"))


def right(plan: RunPlan) -> RunState:
    """The run of a plan, all of it."""
    datasets = frozenset(one.key for one in plan.datasets)
    return RunState("1", plan.status, plan.ended, plan.tags, plan.params, plan.metrics, datasets)


@pytest.mark.parametrize(
    ("plan", "change", "name"),
    [
        (TRIAL, {"status": "RUNNING"}, "status"),
        (TRIAL, {"ended": 1}, "end time"),
        (TRIAL, {"tags": {"state": "x"}}, "tag state"),
        (BELOW, {"tags": {PARENT: "another"}}, f"tag {PARENT}"),
        (TRIAL, {"params": {"weight_l1": "0.125"}}, "param weight_l1"),
        (TRIAL, {"metrics": {"val_accuracy": 0.25}}, "metric val_accuracy"),
        (FAILED, {"metrics": {"val_accuracy": 0.25}}, "metric val_accuracy"),
        (study_plan(STUDY), {"datasets": frozenset()}, "data set training"),
    ],
)
def test_whatever_differs_is_named(plan: RunPlan, change: dict[str, Any], name: str) -> None:
    run = right(plan)
    assert plan.differences(run) == []
    for field, value in change.items():
        whole = {**getattr(run, field), **value} if isinstance(value, dict) else value
        run = dataclasses.replace(run, **{field: whole})
    assert plan.differences(run)[0].startswith(name)


def test_a_run_that_is_not_right_is_replaced_when_its_trial_is_written(store: Store) -> None:
    """As a sweep does it that continues: `sync` deletes what is wrong before it writes."""
    sync_runs(Tracker(store, STUDY), STUDY)
    wrong = trial_runs(store, STUDY.study_uid)[1].info.run_id
    MlflowClient(store.uri).log_metric(wrong, "val_accuracy", 0.25, step=99)
    assert Tracker(store, STUDY).write(TRIAL).new
    problems = audit_runs(Tracker(store, STUDY), STUDY).problems
    assert [one for one in problems if one.kind == "trial"] == []
