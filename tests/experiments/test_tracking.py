"""Records on MLflow: what is there, and that it is there once. A real SQLite file, read with
MLflow's own tools.
"""

import dataclasses
import math
import shutil
from pathlib import Path

import mlflow
import pytest
from mlflow import MlflowClient

from experiments.evaluation import CURVES, METRICS
from experiments.records import FAIL, PRUNED
from experiments.tracking import Store, Tracker
from experiments.tracking.runs import milliseconds, of_trial
from nnreg import LAMBDA_NAMES
from tests.mlflow_reading import everything, study_run, trial_runs
from tests.studies import make_study, make_trial


def test_a_study_is_one_run_with_a_finished_child_a_trial(store: Store) -> None:
    study = make_study(3)
    assert Tracker(store, study).sync(study).trials == 3
    parent, children = study_run(store, study.study_uid), trial_runs(store, study.study_uid)
    assert parent.info.run_name == "digits"
    assert {run.info.status for run in (parent, *children.values())} == {"FINISHED"}
    assert [children[number].info.run_name for number in range(3)] == [
        "trial-00000",
        "trial-00001",
        "trial-00002",
    ]
    for number, run in children.items():
        identity = {
            "kind": "trial",
            "study": "digits",
            "study_uid": study.study_uid,
            "trial": str(number),
            "state": "COMPLETE",
        }
        assert run.data.tags == identity | {
            "mlflow.parentRunId": parent.info.run_id,
            "mlflow.runName": run.info.run_name,
        }


def test_what_is_the_same_for_all_trials_is_on_the_studys_run(store: Store) -> None:
    study = make_study(1)
    Tracker(store, study).sync(study)
    run = study_run(store, study.study_uid)
    assert (
        run.data.params.items()
        >= {
            "fingerprint": study.fingerprint,
            "data.source": "digits",
            "model.hidden": "[64]",
            "training.epochs": "30",
            "training.seed": "0",
            "sweep.objective": "val_accuracy",
            "sweep.sampler": "tpe",
        }.items()
    )
    assert (
        "sweep.trials" not in run.data.params
    )  # the one that may be changed while the study goes on
    assert (run.data.tags["python"], run.data.tags["numpy"]) == ("3.11.9", "2.4.0")


def test_every_number_of_a_trial_is_there_under_its_name(store: Store) -> None:
    study = make_study(3)
    Tracker(store, study).sync(study)
    for number, run in trial_runs(store, study.study_uid).items():
        trial, metrics = study.trials[number], run.data.metrics
        assert metrics == of_trial(study, trial).last
        assert {name: metrics[name] for name in METRICS} == {
            name: trial.numbers[name] for name in METRICS
        }
        assert {name: metrics[name] for name in LAMBDA_NAMES} == {
            name: trial.numbers[name] for name in LAMBDA_NAMES
        }
        assert {name: float(run.data.params[name]) for name in LAMBDA_NAMES} == {
            name: metrics[name] for name in LAMBDA_NAMES
        }
        assert [metrics[name] for name in ("generation", "epochs", "seconds", "diverged")] == [
            0,
            3,
            0.25,
            0,
        ]


def test_mlflows_own_table_has_one_finished_row_a_trial(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    study = make_study(5)
    Tracker(store, study).sync(study)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", store.uri)
    frame = mlflow.search_runs(
        experiment_names=["digits"], filter_string="tags.kind = 'trial'"
    ).set_index("tags.trial")
    assert set(frame.status) == {"FINISHED"}
    for trial in study.trials:
        row = frame.loc[str(trial.trial)]
        assert row["metrics.val_accuracy"] == trial.val_accuracy
        assert float(row["params.weight_l1"]) == row["metrics.weight_l1"] == trial.lambdas.weight_l1


def test_the_curves_go_over_the_epochs_from_1(store: Store) -> None:
    study = make_study(
        2, epochs=250
    )  # 5 curves of 250 points are more than MLflow takes in one call
    Tracker(store, study).sync(study)
    client = MlflowClient(store.uri)
    for number, run in trial_runs(store, study.study_uid).items():
        for name in CURVES:
            history = client.get_metric_history(run.info.run_id, name)
            assert [(point.step, point.value) for point in history] == list(
                enumerate(study.trials[number].curves[name], start=1)
            )


def test_times_are_those_of_the_record(store: Store) -> None:
    study = make_study(3)
    Tracker(store, study).sync(study)
    client, parent = MlflowClient(store.uri), study_run(store, study.study_uid)
    first, last = milliseconds(study.trials[0].started), milliseconds(study.trials[-1].finished)
    assert (parent.info.start_time, parent.info.end_time) == (first, last)
    assert first % 1000 == 123
    for number, run in trial_runs(store, study.study_uid).items():
        start, end = (
            milliseconds(study.trials[number].started),
            milliseconds(study.trials[number].finished),
        )
        assert (run.info.start_time, run.info.end_time) == (start, end)
        times = [
            point.timestamp for point in client.get_metric_history(run.info.run_id, "data_loss")
        ]
        assert start < times[0] < times[1] < times[2] == end


@pytest.mark.parametrize(
    ("axes", "shown"),
    [
        ({"weight_l1": {"low": 1e-4, "high": 1e-1}}, -5.5),  # off: off_decades below the axis
        ({"weight_l1": 1e-2}, -3.5),  # fixed, and off in the baseline all the same
        ({"weight_l1": 0}, -7.5),  # fixed to off: as on the default axis
    ],
)
def test_a_lambda_that_is_off_has_a_finite_logarithm(
    store: Store, axes: dict[str, object], shown: float
) -> None:
    study = make_study(1, lambdas=axes, sweep={"off_decades": 1.5})
    Tracker(store, study).sync(study)
    assert trial_runs(store, study.study_uid)[0].data.metrics["log10_weight_l1"] == pytest.approx(
        shown
    )


def test_a_lambda_that_is_on_has_its_own_logarithm(store: Store) -> None:
    study = make_study(2)
    Tracker(store, study).sync(study)
    metrics = trial_runs(store, study.study_uid)[1].data.metrics
    on = study.trials[1].lambdas.on
    assert {metrics[f"log10_{name}"] for name in on} == {math.log10(metrics[name]) for name in on}
    assert on


def test_a_trial_that_went_wrong_shows_it_and_says_why(store: Store) -> None:
    failed = make_trial(
        1, state=FAIL, metrics=None, curves={}, error="its worker was killed three times"
    )
    pruned = make_trial(2, state=PRUNED)
    study = make_study(1)
    tracker = Tracker(store, study)
    for trial in (study.trials[0], failed, pruned):
        tracker.write(trial)
    runs = trial_runs(store, study.study_uid)
    assert [runs[number].info.status for number in range(3)] == ["FINISHED", "FAILED", "KILLED"]
    assert runs[1].data.tags["mlflow.note.content"] == "its worker was killed three times"
    assert runs[1].data.metrics == of_trial(study, failed).last
    assert (
        tracker.missing([failed, pruned]) == Tracker(store, study).missing([failed, pruned]) == []
    )


def test_numbers_that_are_not_finite_are_never_written(store: Store) -> None:
    curves = dict.fromkeys(CURVES, (0.5, math.inf, math.nan))
    study = make_study(1)
    Tracker(store, study).write(make_trial(0, curves=curves, seconds=math.inf))
    client, run = MlflowClient(store.uri), trial_runs(store, study.study_uid)[0]
    assert "seconds" not in run.data.metrics
    values = [
        point.value
        for name in run.data.metrics
        for point in client.get_metric_history(run.info.run_id, name)
    ]
    assert all(abs(value) < 1e300 for value in values)  # MLflow keeps inf as 1.8e308
    assert [point.step for point in client.get_metric_history(run.info.run_id, "data_loss")] == [
        1,
        3,
    ]


def test_writing_twice_changes_nothing(store: Store) -> None:
    study = make_study(3)
    tracker = Tracker(store, study)
    tracker.sync(study)
    before, ids = everything(store), tracker.run_ids()
    assert not any(tracker.sync(study) + Tracker(store, study).sync(study))
    assert everything(store) == before
    assert Tracker(store, study).run_ids() == ids
    assert sorted(ids) == [0, 1, 2]


def test_a_deleted_store_is_made_again_with_the_same_runs_and_times(
    store: Store, tmp_path: Path
) -> None:
    study = make_study(4)
    tracker = Tracker(
        store, dataclasses.replace(study, trials=())
    )  # as the driver does it: trial by trial from an empty study
    for trial in study.trials:
        tracker.write(trial)
    tracker.finish(study)
    before = everything(store)
    for path in tmp_path.glob("mlflow.db*"):
        path.unlink()
    shutil.rmtree(tmp_path / "mlruns", ignore_errors=True)
    assert Tracker(store, study).sync(study).trials == 4
    assert everything(store) == before
