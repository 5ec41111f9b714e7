"""MLflow made again from whatever is left of it: afterwards it says what the study says, once; then
nothing is left to write.
"""

import dataclasses
import os
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from mlflow import MlflowClient
from mlflow.entities import Metric, Param

from experiments.records import FAIL, StudyRecord, TrialRecord
from experiments.tracking import Store, Tracker, TrackerProcess, choose, runs
from experiments.tracking.audit import Children
from tests.mlflow_reading import study_run, trial_runs
from tests.studies import make_study, make_trial

FAILED = make_trial(
    2, state=FAIL, metrics=None, curves={}, error="its worker was killed three times"
)


def three_trials() -> StudyRecord:
    study = make_study(2, epochs=2)
    return dataclasses.replace(study, trials=(*study.trials, FAILED))


@st.composite
def left_of_a_run(draw: st.DrawFn) -> dict[str, Any]:
    """Any part of a trial's run, and what somebody else did to it."""
    share = st.sampled_from([0.0, 0.5, 1.0])
    return {
        "tags": draw(st.booleans()),
        "params": draw(share),
        "points": draw(share),
        "status": draw(st.sampled_from(["RUNNING", "FINISHED", "FAILED", "KILLED"])),
        "wrong": draw(st.sampled_from(["", "", "param", "curve", "last"])),
        "deleted": draw(st.integers(0, 5)) == 0,
    }


def leave(
    client: MlflowClient,
    study: StudyRecord,
    trial: TrialRecord,
    parent: str,
    experiment: str,
    part: dict[str, Any],
) -> None:
    """Leave a part of the run of a trial on MLflow."""
    tags = runs.trial_tags(study, trial) | {"mlflow.parentRunId": parent}
    if not part["tags"]:
        tags = {
            name: tags[name] for name in ("kind", "study_uid", "trial")
        }  # it could not be found without these
    run_id = client.create_run(
        experiment, runs.milliseconds(trial.started), tags, runs.of_trial(study, trial).name
    ).info.run_id
    params = [Param(*param) for param in runs.of_trial(study, trial).params.items()]
    points = [Metric(*point) for point in runs.of_trial(study, trial).points()]
    if part["wrong"] == "param":
        params[0] = Param(params[0].key, "0.125")
    if part["wrong"] == "curve":
        points.append(Metric("data_loss", 0.125, points[0].timestamp, 1))
    if part["wrong"] == "last":
        points.append(Metric("weight_l2", 0.125, points[0].timestamp + 1, 1))
    client.log_batch(
        run_id,
        points[-int(len(points) * part["points"]) or len(points) :],
        params[: int(4 * part["params"])],
    )
    if part["status"] != "RUNNING":
        client.set_terminated(run_id, part["status"])
    if part["deleted"]:
        client.delete_run(run_id)


def assert_agrees(store: Store, study: StudyRecord) -> None:
    """Every number of the study is on MLflow, once."""
    client, parent = MlflowClient(store.uri), study_run(store, study.study_uid)
    children = trial_runs(store, study.study_uid)
    assert sorted(children) == [trial.trial for trial in study.trials]
    assert (parent.info.status, parent.info.end_time) == ("FINISHED", runs.study_ended(study))
    assert (parent.data.params, parent.data.tags.items() >= runs.study_tags(study).items()) == (
        runs.study_params(study),
        True,
    )
    for trial in study.trials:
        run = children[trial.trial]
        assert run.data.params == runs.of_trial(study, trial).params
        assert run.data.metrics == runs.of_trial(study, trial).last
        tags = {**runs.trial_tags(study, trial), "mlflow.parentRunId": parent.info.run_id}
        assert run.data.tags.items() >= tags.items()
        assert (run.info.status, run.info.end_time) == (
            runs.STATUS[trial.state],
            runs.milliseconds(trial.finished),
        )
        there = {
            (p.key, p.value, p.timestamp, p.step)
            for name in run.data.metrics
            for p in client.get_metric_history(run.info.run_id, name)
        }
        assert there == set(runs.of_trial(study, trial).points())


def version(connection: sqlite3.Connection) -> int:
    """Changes with every commit of another connection:
    https://www.sqlite.org/pragma.html#pragma_data_version
    """
    return int(connection.execute("PRAGMA data_version").fetchone()[0])


@settings(
    max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    parts=st.lists(
        st.tuples(st.integers(0, 4), left_of_a_run()), max_size=5
    ),  # of trials, of one twice, or of none in the study
    parents=st.lists(st.sampled_from(["bare", "whole", "other", "deleted"]), max_size=2),
)
def test_whatever_is_left_sync_makes_it_the_study_and_then_nothing(
    store: Store, parts: list[tuple[int, dict[str, Any]]], parents: list[str]
) -> None:
    study, client = three_trials(), MlflowClient(store.uri)
    experiment = client.get_experiment_by_name("digits")
    experiment_id = (
        experiment.experiment_id
        if experiment
        else client.create_experiment("digits", store.artifact_location)
    )
    parent = "0" * 32  # as of a run that was deleted for good
    for kind in parents:
        tags = runs.identity(study, "study") if kind == "bare" else runs.study_tags(study)
        parent = client.create_run(experiment_id, tags=tags).info.run_id
        if kind == "other":
            client.log_param(parent, "fingerprint", "another")
        if kind == "deleted":
            client.delete_run(parent)
    for number, part in parts:
        leave(
            client,
            study,
            (*study.trials, make_trial(3), make_trial(4))[number],
            parent,
            experiment_id,
            part,
        )

    Tracker(store, study).sync(study)

    assert_agrees(store, study)
    tracker = Tracker(store, study)
    audit = tracker.audit(study)
    assert (audit.study, audit.trials) == (
        [],
        Children(runs=3, missing=[], strangers={}, several={}, differing={}),
    )
    assert store.file
    with closing(sqlite3.connect(store.file)) as watching:
        commits = version(watching)
        assert (any(tracker.sync(study)), tracker.deleted) == (False, 0)
        assert version(watching) == commits  # nothing was written at all


def move(store: Store, there: Path) -> Store:
    """Move the directory of a store, as `mv` does."""
    assert store.file
    there.mkdir()
    for path in list(store.file.parent.iterdir()):
        if path != there:
            shutil.move(path, there)
    return choose(there, "digits", environ={})


def test_artifacts_are_found_after_the_directory_was_moved(store: Store, tmp_path: Path) -> None:
    study, old = make_study(1), tmp_path / "old"
    before = move(store, old)
    (old / "trials.csv").write_text("x,y")
    writer = TrackerProcess(
        before, study
    )  # a process of its own, as MLflow remembers the places of artifacts
    writer.write(study.trials[0])
    writer.finish(study)
    writer.log_file(old / "trials.csv")
    writer.close()

    os.rename(old, tmp_path / "new")  # noqa: PTH104
    after = choose(tmp_path / "new", "digits", environ={})
    tracker = Tracker(after, study)
    assert str(old) in tracker.audit(study).location
    assert tracker.kept() == {"trials.csv": 3}
    for artifact in MlflowClient(after.uri).list_artifacts(
        study_run(after, study.study_uid).info.run_id
    ):
        assert artifact.path == "trials.csv"
    assert Tracker(after, study).audit(study).location == ""
    tracker.log_file(tmp_path / "new" / "trials.csv")
    assert not old.exists()  # nothing was written to where it was


def test_artifacts_that_somebody_put_elsewhere_stay_there(store: Store, tmp_path: Path) -> None:
    study, elsewhere = make_study(1), tmp_path / "shared" / "mlruns" / "digits"
    elsewhere.mkdir(parents=True)
    MlflowClient(store.uri).create_experiment("digits", elsewhere.as_uri())
    (tmp_path / "trials.csv").write_text("x,y")
    tracker = Tracker(store, study)
    tracker.sync(study)
    tracker.log_file(tmp_path / "trials.csv")
    assert [path.name for path in elsewhere.rglob("*.csv")] == ["trials.csv"]
    assert not (tmp_path / "mlruns").exists()


@pytest.mark.parametrize("name", ["../a b", "größe"])
def test_a_moved_directory_whose_experiment_has_an_odd_name(
    made: Path, tmp_path: Path, name: str
) -> None:
    study = make_study(1)
    (tmp_path / "old one").mkdir()
    shutil.copy(made, tmp_path / "old one")
    Tracker(choose(tmp_path / "old one", name, environ={}), study).sync(study)
    os.rename(tmp_path / "old one", tmp_path / "new")  # noqa: PTH104
    store = choose(tmp_path / "new", name, environ={})
    tracker = Tracker(store, study)
    assert tracker.kept() == {}
    run = study_run(store, study.study_uid)
    assert run.info.artifact_uri == f"{store.artifact_location}/{run.info.run_id}/artifacts"


@pytest.mark.parametrize("wrong", ["missing", "added"])
def test_a_run_that_looks_whole_with_another_curve(store: Store, wrong: str) -> None:
    study, client = make_study(1), MlflowClient(store.uri)
    Tracker(store, dataclasses.replace(study, trials=())).write(study.trials[0])
    run = trial_runs(store, study.study_uid)[0]
    if wrong == "added":
        client.log_metric(run.info.run_id, "data_loss", 0.125, run.info.start_time, 1)
    else:
        assert store.file
        with closing(sqlite3.connect(store.file)) as connection, connection:
            connection.execute("DELETE FROM metrics WHERE key = 'val_accuracy' AND step = 2")
    assert (
        Tracker(store, study).audit(study).trials.differing == {}
    )  # which reads last points alone
    assert Tracker(store, study).sync(study).trials == 1
    assert_agrees(store, study)
    assert (trial_runs(store, study.study_uid)[0].info.run_id == run.info.run_id) == (
        wrong == "missing"
    )
