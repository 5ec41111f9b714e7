"""What was interrupted, deleted or done twice on MLflow, and is put right without a run too many."""

import dataclasses
import shutil
from pathlib import Path

import mlflow
import pytest
from mlflow import MlflowClient
from mlflow.entities import Run

from experiments.errors import TrackingError
from experiments.tracking import Store, Tracker, choose
from experiments.tracking.runs import of_trial
from tests.mlflow_reading import all_runs, everything, study_run, trial_runs
from tests.studies import make_study

STUDY = make_study(3)


@pytest.fixture
def client(store: Store) -> MlflowClient:
    """Another program on the store, which has the first two trials of the study."""
    two = dataclasses.replace(STUDY, trials=STUDY.trials[:2])
    Tracker(store, two).sync(two)
    return MlflowClient(store.uri)


@pytest.fixture
def wanted(made: Path, tmp_path: Path) -> list[object]:
    """Everything on MLflow where the study was written without an interruption."""
    (tmp_path / "uninterrupted").mkdir()
    shutil.copy(made, tmp_path / "uninterrupted")
    store = choose(tmp_path / "uninterrupted", "digits", environ={})
    Tracker(store, STUDY).sync(STUDY)
    return list(everything(store))


def begun(store: Store, client: MlflowClient) -> Run:
    """The run of the third trial, as a kill after the first call leaves it."""
    parent, trial = study_run(store, STUDY.study_uid), STUDY.trials[2]
    start = int(trial.started.timestamp() * 1000)
    tags = {**of_trial(STUDY, trial).tags, "mlflow.parentRunId": parent.info.run_id}
    return client.create_run(parent.info.experiment_id, start, tags, "trial-00002")


@pytest.mark.parametrize("lines", [0, 1, 2, 3])
def test_a_run_that_was_interrupted_after_any_call_is_completed(
    store: Store, client: MlflowClient, wanted: list[object], lines: int
) -> None:
    run_id = begun(store, client).info.run_id
    if lines > 0:
        for name, value in of_trial(STUDY, STUDY.trials[2]).params.items():
            client.log_param(run_id, name, value)
    if lines > 1:
        client.log_metric(
            run_id, "data_loss", STUDY.trials[2].curves["data_loss"][0], _time_of_first_epoch(), 1
        )
    if lines > 2:
        client.set_terminated(run_id, "FINISHED")  # an end, and hardly any metric
    tracker = Tracker(store, STUDY)
    assert tracker.missing(STUDY.trials) == [2]
    assert tracker.sync(STUDY).trials == 1
    assert trial_runs(store, STUDY.study_uid)[2].info.run_id == run_id
    assert everything(store) == wanted
    assert tracker.missing(STUDY.trials) == []


def _time_of_first_epoch() -> int:
    trial = STUDY.trials[2]
    start, end = int(trial.started.timestamp() * 1000), int(trial.finished.timestamp() * 1000)
    return start + (end - start) // 3


def test_a_studys_run_that_was_interrupted_is_completed(store: Store, wanted: list[object]) -> None:
    client = MlflowClient(store.uri)
    experiment = client.create_experiment("digits", artifact_location=store.artifact_location)
    start = int(STUDY.trials[0].started.timestamp() * 1000)
    tags = {
        "kind": "study",
        "study": "digits",
        "study_uid": STUDY.study_uid,
        "python": "3.11.9",
        "numpy": "2.4.0",
    }
    client.create_run(experiment, start, tags, "digits")
    Tracker(store, STUDY).sync(STUDY)
    assert everything(store) == wanted


def test_while_trials_are_written_no_run_is_running(store: Store) -> None:
    tracker = Tracker(store, STUDY)
    for trial in STUDY.trials:
        tracker.write(trial)
        assert {run.info.status for run in all_runs(store)} == {"SCHEDULED", "FINISHED"}
    tracker.finish(STUDY)
    assert {run.info.status for run in all_runs(store)} == {"FINISHED"}


def test_runs_that_somebody_deleted_are_written_again(
    store: Store, client: MlflowClient, wanted: list[object]
) -> None:
    client.delete_run(trial_runs(store, STUDY.study_uid)[0].info.run_id)
    tracker = Tracker(store, STUDY)
    assert tracker.missing(STUDY.trials) == [0, 2]
    assert tracker.sync(STUDY).trials == 2
    assert everything(store) == wanted


def test_trials_find_their_way_below_a_studys_run_that_was_made_again(
    store: Store, client: MlflowClient, wanted: list[object]
) -> None:
    ids = {number: run.info.run_id for number, run in trial_runs(store, STUDY.study_uid).items()}
    client.delete_run(study_run(store, STUDY.study_uid).info.run_id)
    Tracker(store, STUDY).sync(STUDY)
    assert everything(store) == wanted
    assert trial_runs(store, STUDY.study_uid)[1].info.run_id == ids[1]


def test_of_two_runs_of_one_trial_the_whole_one_stays(
    store: Store, client: MlflowClient, wanted: list[object]
) -> None:
    whole = trial_runs(store, STUDY.study_uid)[0]
    second = client.create_run(whole.info.experiment_id, tags=dict(whole.data.tags)).info.run_id
    tracker = Tracker(store, STUDY)
    assert tracker.audit(STUDY).trials.several == {0: sorted([second, whole.info.run_id])}
    assert tracker.run_ids()[0] == whole.info.run_id
    tracker.sync(STUDY)
    assert tracker.deleted == 1
    assert everything(store) == wanted
    assert trial_runs(store, STUDY.study_uid)[0].info.run_id == whole.info.run_id
    assert (
        client.get_run(second).info.lifecycle_stage == "deleted"
    )  # as on the page: it can be brought back


def test_a_deleted_experiment_is_brought_back_by_sync_alone(
    store: Store, client: MlflowClient, wanted: list[object]
) -> None:
    experiment = client.get_experiment_by_name("digits")
    assert experiment is not None
    client.delete_experiment(experiment.experiment_id)
    tracker = Tracker(store, STUDY)
    assert tracker.missing(STUDY.trials) == [0, 1, 2]
    assert tracker.audit(STUDY).experiment_deleted
    with pytest.raises(TrackingError, match=r"MLFLOW_EXPERIMENT_NAME") as caught:
        tracker.write(STUDY.trials[0])
    assert "sweeps sync" in str(caught.value)
    assert tracker.sync(STUDY).trials == 1
    assert everything(store) == wanted


def test_to_look_makes_nothing(tmp_path: Path) -> None:
    tracker = Tracker(choose(tmp_path, "digits", environ={}), STUDY)
    assert tracker.missing(STUDY.trials) == [0, 1, 2]
    assert (tracker.run_ids(), tracker.kept(), tracker.audit(STUDY).trials.missing) == (
        {},
        {},
        [0, 1, 2],
    )
    tracker.log_file(tmp_path)
    tracker.finish(STUDY)
    with pytest.raises(TrackingError, match="sweeps sync"):
        tracker.show()
    assert list(tmp_path.iterdir()) == []


def test_two_studies_of_one_name_in_one_experiment_do_not_touch_each_other(store: Store) -> None:
    theirs, ours = make_study(3), make_study(2)
    Tracker(store, theirs).sync(theirs)
    before = everything(store)
    tracker = Tracker(store, ours)
    assert tracker.missing(ours.trials) == [0, 1]
    tracker.sync(ours)
    assert [
        run for run in everything(store) if run["tags"]["study_uid"] == theirs.study_uid
    ] == before
    assert sorted(trial_runs(store, ours.study_uid)) == [0, 1]


def test_files_are_artifacts_of_the_studys_run_in_the_directory(
    store: Store, tmp_path: Path
) -> None:
    Tracker(store, STUDY).sync(STUDY)
    folder = tmp_path / "reports"
    folder.mkdir()
    tracker = Tracker(store, STUDY)
    for text in ("old", "newer"):
        (folder / "trials.csv").write_text(text)
        tracker.log_file(folder / "trials.csv")
    assert tracker.kept() == {"trials.csv": len("newer")}
    kept = [path for path in (tmp_path / "mlruns").rglob("*") if path.is_file()]
    run_id = study_run(store, STUDY.study_uid).info.run_id
    assert kept == [tmp_path / "mlruns" / "digits" / run_id / "artifacts" / "trials.csv"]
    assert kept[0].read_text() == "newer"


def test_mlflows_global_state_is_left_alone(store: Store) -> None:
    before = mlflow.get_tracking_uri()
    Tracker(store, STUDY).sync(STUDY)
    assert mlflow.get_tracking_uri() == before
    assert mlflow.active_run() is None
