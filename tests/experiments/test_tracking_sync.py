"""MLflow made again from whatever is left of it: afterwards it says what the study says, once; then
nothing is left to write.
"""

import dataclasses
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from mlflow import MlflowClient
from mlflow.entities import Metric, Param

from experiments.errors import TrackingError
from experiments.records import FAIL, StudyRecord
from experiments.tracking import (
    Store,
    SyncedRuns,
    Tracker,
    TrackerProcess,
    audit_runs,
    choose,
    sync_runs,
)
from experiments.tracking.plan import plans, setting_plans, study_plan, trial_plan
from experiments.tracking.runs import NOTE, PARENT, RunPlan
from experiments.tracking.sync import Audit, Problem
from tests.mlflow_reading import everything, runs_of, study_run, trial_runs
from tests.studies import confirmed_study, make_study, make_trial

FAILED = make_trial(
    2, state=FAIL, metrics=None, curves={}, error="its worker was killed three times"
)
NOTHING = SyncedRuns(trials=0, settings=0, deleted=0, study=False)


def synced(store: Store, study: StudyRecord) -> SyncedRuns:
    return sync_runs(Tracker(store, study), study)


def audited(store: Store, study: StudyRecord) -> Audit:
    return audit_runs(Tracker(store, study), study)


@st.composite
def left_of_a_run(draw: st.DrawFn) -> dict[str, Any]:
    """Any part of a run, and what somebody else did to it."""
    share = st.sampled_from([0.0, 0.5, 1.0])
    return {
        "which": draw(st.integers(0, 6)),
        "tags": draw(st.booleans()),
        "params": draw(share),
        "points": draw(share),
        "status": draw(st.sampled_from(["RUNNING", "FINISHED", "FAILED", "KILLED"])),
        "wrong": draw(st.sampled_from(["", "", "param", "last", "test", "roles", "foreign"])),
        "deleted": draw(st.integers(0, 5)) == 0,
    }


def leave(client: MlflowClient, plan: RunPlan, experiment: str, parent: str, part: Any) -> None:
    """Leave a part of a run on MLflow."""
    kind, tags = plan.key[0], {**plan.tags, PARENT: parent}
    if not part["tags"]:  # it could not be found without these
        tags = {name: tags[name] for name in ("kind", "study_uid", kind)}
    if part["wrong"] == "foreign":
        tags[kind] = "77"
    if part["wrong"] == "roles":
        tags["roles"] = "loser"
    run_id = client.create_run(experiment, plan.started, tags, plan.name).info.run_id
    params = [Param(*param) for param in plan.params.items()]
    points = [Metric(*point) for point in plan.points()]
    kept = points[: int(len(points) * part["points"])]
    if part["wrong"] == "param":
        params[0] = Param(params[0].key, "0.125")
    if part["wrong"] in ("last", "test"):
        name = "weight_l2" if part["wrong"] == "last" else "test_accuracy"
        kept.append(Metric(name, 0.125, plan.started, 1000))
    client.log_batch(run_id, kept, params[: int(len(params) * part["params"])])
    if part["status"] != "RUNNING":
        client.set_terminated(run_id, part["status"], plan.ended)
    if part["deleted"]:
        client.delete_run(run_id)


def commits(connection: sqlite3.Connection) -> int:
    """Changes with every commit of another connection: sqlite.org/pragma.html"""
    return int(connection.execute("PRAGMA data_version").fetchone()[0])


@settings(
    max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    parts=st.lists(left_of_a_run(), max_size=5),  # of some runs, of one twice, of none
    parents=st.lists(st.sampled_from(["bare", "whole", "deleted"]), max_size=2),
    folders=st.lists(st.booleans(), max_size=2),
    look=st.integers(0, 1),
)
def test_whatever_is_left_sync_makes_it_the_study_and_then_nothing(
    store: Store,
    parts: list[dict[str, Any]],
    parents: list[str],
    folders: list[bool],
    look: int,
) -> None:
    study = confirmed_study(make_study(3, epochs=2), look=look)
    study = dataclasses.replace(study, trials=(*study.trials[:2], FAILED))
    client = MlflowClient(store.uri)
    there = client.get_experiment_by_name("digits")
    experiment_id = there and there.experiment_id
    experiment_id = experiment_id or client.create_experiment("digits", store.artifact_location)
    parent = "0" * 32  # as of a run that was deleted for good
    for kind in parents:
        tags = {"kind": "study", "study": study.study, "study_uid": study.study_uid}
        tags = tags if kind == "bare" else dict(study_plan(study).tags)
        parent = client.create_run(experiment_id, tags=tags).info.run_id
        if kind == "deleted":
            client.delete_run(parent)
    for ended in folders:
        tags = {"kind": "confirmation", "study": study.study, "study_uid": study.study_uid}
        parent = client.create_run(experiment_id, tags=tags).info.run_id
        if ended:
            client.set_terminated(parent)
    children = [plan for plan in plans(study) if plan.key[0] in ("trial", "confirm")]
    for part in parts:
        leave(client, children[part["which"]], experiment_id, parent, part)

    synced(store, study)

    tracker, settings = Tracker(store, study), len(setting_plans(study))
    audit = audited(store, study)
    counts = {"study": 1, "trial": 3, "confirmation": 1, "confirm": settings}
    assert (audit.problems, dict(audit.runs)) == ((), counts)
    assert_agrees(store, study)
    assert store.file
    with closing(sqlite3.connect(store.file)) as watching:
        before = commits(watching)
        assert sync_runs(tracker, study) == NOTHING
        assert commits(watching) == before  # nothing was written at all


def assert_agrees(store: Store, study: StudyRecord) -> None:
    """Every number of the study is on MLflow, once, as MLflow's own client reads it."""
    client, uid = MlflowClient(store.uri), study.study_uid
    parent, settings = study_run(store, uid), runs_of(store, uid, "confirm")
    (folder,) = runs_of(store, uid, "confirmation").values()
    trials, of_study = trial_runs(store, uid), study_plan(study)
    assert (parent.info.status, parent.info.end_time) == ("FINISHED", of_study.ended)
    assert parent.data.params == of_study.params
    assert {**parent.data.tags, NOTE: ""}.items() >= {**of_study.tags, NOTE: ""}.items()
    assert folder.data.tags[PARENT] == parent.info.run_id
    assert folder.info.status == "FINISHED"
    assert (len(trials), len(settings)) == (len(study.trials), len(setting_plans(study)))
    pairs = [(trial_plan(study, one), trials[one.trial], parent) for one in study.trials]
    pairs += [(plan, settings[plan.key[1]], folder) for plan in setting_plans(study)]
    for plan, run, above in pairs:
        assert (run.data.params, run.data.metrics) == (plan.params, plan.metrics)
        assert run.data.tags.items() >= {**plan.tags, PARENT: above.info.run_id}.items()
        info = run.info
        assert (info.run_name, info.status, info.end_time) == (plan.name, plan.status, plan.ended)
        histories = [client.get_metric_history(info.run_id, name) for name in run.data.metrics]
        there = {(p.key, p.value, p.timestamp, p.step) for history in histories for p in history}
        assert there == set(plan.points())


STUDY = make_study(3)


@pytest.fixture
def client(store: Store) -> MlflowClient:
    """Another program on the store, which has the first two trials of the study."""
    two = dataclasses.replace(STUDY, trials=STUDY.trials[:2])
    synced(store, two)
    return MlflowClient(store.uri)


def test_what_was_deleted_is_written_again(
    store: Store,
    client: MlflowClient,
    uninterrupted: Callable[[StudyRecord], list[dict[str, Any]]],
) -> None:
    wanted = uninterrupted(STUDY)
    client.delete_run(trial_runs(store, STUDY.study_uid)[0].info.run_id)
    assert audited(store, STUDY).missing("trial") == ["0", "2"]
    assert synced(store, STUDY) == SyncedRuns(trials=2, settings=0, deleted=0, study=True)
    assert everything(store) == wanted
    client.delete_run(study_run(store, STUDY.study_uid).info.run_id)
    synced(store, STUDY)
    assert everything(store) == wanted
    experiment = client.get_experiment_by_name("digits")
    assert experiment
    client.delete_experiment(experiment.experiment_id)
    assert audited(store, STUDY).experiment_deleted
    with pytest.raises(TrackingError, match=r"sweeps sync.*MLFLOW_EXPERIMENT_NAME"):
        Tracker(store, STUDY).write(trial_plan(STUDY, STUDY.trials[0]))
    synced(store, STUDY)
    assert everything(store) == wanted


def test_a_study_run_that_mlflow_does_not_let_change_is_named_with_the_remedy(store: Store) -> None:
    study = confirmed_study(look=1)
    synced(store, study)
    client, run_id = MlflowClient(store.uri), study_run(store, study.study_uid).info.run_id
    client.log_metric(run_id, "gain", 7.0, step=1000)  # it stays the last one
    with pytest.raises(TrackingError, match=r"metric gain of study .*delete .*sweeps sync"):
        synced(store, study)
    client.delete_run(run_id)
    synced(store, study)
    assert audited(store, study).problems == ()


def test_of_two_runs_of_one_trial_the_right_one_stays(store: Store, client: MlflowClient) -> None:
    synced(store, STUDY)
    right = trial_runs(store, STUDY.study_uid)[0]
    second = client.create_run(right.info.experiment_id, tags=dict(right.data.tags)).info.run_id
    tracker = Tracker(store, STUDY)
    ids = tuple(sorted([second, right.info.run_id]))
    assert audit_runs(tracker, STUDY).problems == (Problem("trial", "0", ids),)
    assert tracker.run_ids()[0] == right.info.run_id
    assert sync_runs(tracker, STUDY) == SyncedRuns(0, 0, deleted=1, study=False)
    assert trial_runs(store, STUDY.study_uid)[0].info.run_id == right.info.run_id
    # As on MLflow's page: it can be brought back.
    assert client.get_run(second).info.lifecycle_stage == "deleted"


def test_a_run_that_was_made_after_nobody_waited_for_it_is_deleted(store: Store) -> None:
    """As a server leaves it that was silent and carries out a request late."""
    tracker, late = Tracker(store, STUDY), Tracker(store, STUDY)
    tracker.write(trial_plan(STUDY, STUDY.trials[0]))
    late.open()
    sync_runs(tracker, STUDY)
    late.write(trial_plan(STUDY, STUDY.trials[1]))
    assert synced(store, STUDY).deleted == 1
    assert sorted(trial_runs(store, STUDY.study_uid)) == [0, 1, 2]


def test_looking_makes_nothing(tmp_path: Path) -> None:
    tracker = Tracker(choose(tmp_path, "digits", environ={}), STUDY)
    assert audit_runs(tracker, STUDY).missing("trial") == ["0", "1", "2"]
    assert (tracker.run_ids(), tracker.kept(), tracker.finish(STUDY)) == ({}, {}, False)
    tracker.log_file(tmp_path)
    with pytest.raises(TrackingError, match="sweeps sync"):
        tracker.show()
    assert list(tmp_path.iterdir()) == []


def test_two_studies_of_one_name_in_one_experiment_do_not_touch_each_other(store: Store) -> None:
    theirs, ours = make_study(3), make_study(2)
    synced(store, theirs)
    before = everything(store)
    assert audited(store, ours).missing("trial") == ["0", "1"]
    synced(store, ours)
    there = everything(store)
    assert [run for run in there if run["tags"]["study_uid"] == theirs.study_uid] == before
    assert sorted(trial_runs(store, ours.study_uid)) == [0, 1]


def test_files_are_artifacts_of_the_studys_run_in_the_directory(
    store: Store, tmp_path: Path
) -> None:
    tracker = Tracker(store, STUDY)
    sync_runs(tracker, STUDY)
    (tmp_path / "reports").mkdir()
    for text in ("old", "newer"):
        (tmp_path / "reports" / "trials.csv").write_text(text)
        tracker.log_file(tmp_path / "reports" / "trials.csv")
    assert tracker.kept() == {"trials.csv": len("newer")}
    (kept,) = (tmp_path / "mlruns" / "digits").glob("*/artifacts/trials.csv")
    assert kept.read_text() == "newer"


@pytest.mark.parametrize("name", ["digits", "../a größe"])
def test_artifacts_are_found_after_the_directory_was_moved(
    made: Path, tmp_path: Path, name: str
) -> None:
    study, old, new = make_study(1), tmp_path / "old one", tmp_path / "new"
    old.mkdir()
    shutil.copy(made, old)
    (old / "trials.csv").write_text("x,y")
    # A process of its own, because MLflow remembers the places of artifacts.
    with TrackerProcess(choose(old, name, environ={}), study) as process:
        sync_runs(process, study)
        process.call(Tracker.log_file, old / "trials.csv")
    old.rename(new)
    store = choose(new, name, environ={})
    tracker = Tracker(store, study)
    assert old.name.replace(" ", "%20") in audit_runs(tracker, study).location
    assert tracker.kept() == {"trials.csv": 3}
    run = study_run(store, study.study_uid)
    assert run.info.artifact_uri == f"{store.artifact_location}/{run.info.run_id}/artifacts"
    assert [file.path for file in MlflowClient(store.uri).list_artifacts(run.info.run_id)]
    assert audited(store, study).location == ""
    tracker.log_file(new / "trials.csv")
    assert not old.exists()  # nothing was written to where it was


def test_artifacts_that_somebody_put_elsewhere_stay_there(store: Store, tmp_path: Path) -> None:
    elsewhere = tmp_path / "shared" / "mlruns" / "digits"
    elsewhere.mkdir(parents=True)
    MlflowClient(store.uri).create_experiment("digits", elsewhere.as_uri())
    (tmp_path / "trials.csv").write_text("x,y")
    tracker = Tracker(store, STUDY)
    sync_runs(tracker, STUDY)
    tracker.log_file(tmp_path / "trials.csv")
    assert [path.name for path in elsewhere.rglob("*.csv")] == ["trials.csv"]
    assert not list((tmp_path / "mlruns").rglob("*.csv"))
