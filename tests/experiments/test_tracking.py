"""Records on MLflow: what is there, and that it is there once. A real SQLite file, read with
MLflow's own tools.
"""

import dataclasses
import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import mlflow
import pytest
from mlflow import MlflowClient
from mlflow.entities import Run

from experiments.evaluation import CURVES, METRICS
from experiments.records import FAIL, PRUNED, StudyRecord
from experiments.tracking import Store, Tracker, audit_runs, sync_runs
from experiments.tracking.plan import LOG10, RANKING, milliseconds, trial_plan
from experiments.tracking.runs import NOTE
from tests.mlflow_reading import everything, study_run, trial_runs
from tests.studies import make_study, make_trial

BORN: dict[str, Any] = {
    "provenance": {"command": "sweeps run digits", "commit": "0" * 40, "user": "somebody"},
    "data": {
        "digest": "a" * 64,
        "features": 64,
        "rows": {"training": 1078, "validation": 359, "test": 0},
    },
}


def written(store: Store, study: StudyRecord) -> Run:
    """The study's run, once it is written."""
    sync_runs(Tracker(store, study), study)
    return study_run(store, study.study_uid)


def test_a_study_is_one_run_with_a_finished_child_per_trial(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    study = make_study(3)
    before = mlflow.get_tracking_uri()
    parent, children = written(store, study), trial_runs(store, study.study_uid)
    assert len(everything(store)) == 1 + len(children)  # without a confirmation, nothing of one
    assert not {"verdict", NOTE} & parent.data.tags.keys()
    assert parent.info.run_name == "digits"
    assert {run.info.status for run in (parent, *children.values())} == {"FINISHED"}
    for number, run in children.items():
        assert run.info.run_name == f"trial-{number:05d}"
        assert run.data.tags == {
            "kind": "trial",
            "study": "digits",
            "study_uid": study.study_uid,
            "trial": str(number),
            "state": "COMPLETE",
            "mlflow.parentRunId": parent.info.run_id,
            "mlflow.runName": run.info.run_name,
        }
    assert mlflow.get_tracking_uri() == before
    assert mlflow.active_run() is None
    monkeypatch.setenv("MLFLOW_TRACKING_URI", store.uri)
    frame = mlflow.search_runs(experiment_names=["digits"], filter_string="tags.kind = 'trial'")
    for trial in study.trials:
        (row,) = frame[frame["tags.trial"] == str(trial.trial)].to_dict("records")
        assert row["metrics.val_accuracy"] == trial.val_accuracy
        assert float(row["params.weight_l1"]) == row["metrics.weight_l1"] == trial.lambdas.weight_l1


def test_what_is_the_same_for_all_trials_is_on_the_studys_run(store: Store) -> None:
    study = make_study(1)
    run = written(store, study)
    wanted = {"fingerprint": study.fingerprint, "data.source": "digits", "model.hidden": "[64]"}
    wanted |= {"training.seed": "0", "sweep.objective": "val_accuracy", "sweep.sampler": "tpe"}
    assert run.data.params.items() >= wanted.items()
    assert "sweep.trials" not in run.data.params  # it may change while the study goes on
    assert (run.data.tags["python"], run.data.tags["numpy"]) == ("3.11.9", "2.4.0")


def test_every_number_of_a_trial_is_there_under_its_name(store: Store) -> None:
    study = make_study(3)
    written(store, study)
    for number, run in trial_runs(store, study.study_uid).items():
        trial, metrics = study.trials[number], run.data.metrics
        assert metrics == trial_plan(study, trial).metrics
        assert {name: metrics[name] for name in METRICS} == dataclasses.asdict(trial.metrics)  # type: ignore[arg-type]  # it has some
        for name, value in trial.setting.numbers.items():
            assert float(run.data.params[name]) == metrics[name] == value
        for name in (*trial.lambdas.on, "learning_rate"):
            assert metrics[LOG10 + name] == math.log10(metrics[name])
        assert (metrics["best_epoch"], metrics["seconds"]) == (trial.best_epoch, 0.25)
        facts = [run.data.params[name] for name in ("generation", "epochs", "diverged")]
        assert facts == ["0", "3", "false"]


def test_the_curves_go_over_the_epochs_from_1_and_times_are_those_of_the_record(
    store: Store,
) -> None:
    study = make_study(2, epochs=250)  # 5 curves of 250 points are more than MLflow takes at once
    kept = [
        dataclasses.replace(one, metrics=dataclasses.replace(one.metrics, val_accuracy=0.99))
        for one in study.trials
    ]
    study = dataclasses.replace(study, trials=tuple(kept))
    parent, client = written(store, study), MlflowClient(store.uri)
    first, last = milliseconds(study.trials[0].started), milliseconds(study.trials[-1].finished)
    assert (parent.info.start_time, parent.info.end_time) == (first, last)
    assert first % 1000 == 123
    for number, run in trial_runs(store, study.study_uid).items():
        trial = study.trials[number]
        start, end = milliseconds(trial.started), milliseconds(trial.finished)
        assert (run.info.start_time, run.info.end_time) == (start, end)
        for name in CURVES:
            history = client.get_metric_history(run.info.run_id, name)
            points = [(point.step, point.value) for point in history]
            *curve, kept = points
            assert curve == list(enumerate(trial.curves[name], start=1))
            assert kept == (251, getattr(trial.metrics, name))  # the step that MLflow shows
            times = [point.timestamp for point in history]
            assert start < times[0] < times[100] < times[-1] == end


def test_a_lambda_that_is_off_has_a_finite_logarithm_and_a_fixed_one_none() -> None:
    axes = {"weight_l1": {"low": 1e-4, "high": 1e-1}, "bias_l1": 1e-2}
    study = make_study(1, lambdas=axes, sweep={"off_decades": 1.5})
    metrics = trial_plan(study, study.trials[0]).metrics
    assert metrics[LOG10 + "weight_l1"] == pytest.approx(-5.5)  # below the low end of the axis
    assert LOG10 + "bias_l1" not in metrics


@pytest.mark.parametrize("objective", ["val_accuracy", "val_data_loss"])
def test_sorted_by_their_ranking_tied_trials_are_best_first(objective: str) -> None:
    study = make_study(40, sweep={"objective": objective})
    tied = [
        dataclasses.replace(
            one,
            metrics=dataclasses.replace(one.metrics, val_accuracy=0.9 + one.trial % 3 / 1_000_000),
        )
        for one in study.trials
    ]
    study = dataclasses.replace(study, trials=tuple(tied))
    ranking = {one.trial: trial_plan(study, one).metrics[RANKING] for one in study.trials}
    best_first = sorted(ranking, key=lambda trial: ranking[trial], reverse=True)
    assert best_first == [one.trial for one in study.ranked]


def test_a_trial_that_went_wrong_shows_it_and_says_why(store: Store) -> None:
    error = "its worker was killed three times"
    failed = make_trial(1, state=FAIL, metrics=None, curves={}, error=error)
    study = make_study(1)
    study = dataclasses.replace(
        study,
        trials=(
            *(*study.trials, failed, make_trial(2, state=PRUNED, diverged=True)),
            make_trial(3, diverged=True, error="diverged at epoch 2: predict is not finite"),
        ),
    )
    written(store, study)
    runs = trial_runs(store, study.study_uid)
    assert [runs[number].info.status for number in range(3)] == ["FINISHED", "FAILED", "KILLED"]
    assert runs[1].data.tags["mlflow.note.content"] == error
    assert runs[2].data.tags["mlflow.note.content"].startswith("Diverged: the loss")
    assert runs[3].data.tags["mlflow.note.content"] == (
        "Diverged at epoch 2: predict is not finite, so the accuracies are 0 and the losses the"
        " largest there can be."
    )
    assert not set(METRICS) & runs[1].data.metrics.keys()
    assert audit_runs(Tracker(store, study), study).problems == ()


def test_numbers_that_are_not_finite_are_never_written(store: Store) -> None:
    curves = dict.fromkeys(CURVES, (0.5, math.inf, math.nan))
    study = make_study(1)
    trial = make_trial(0, curves=curves, seconds=math.inf)
    written(store, dataclasses.replace(study, trials=(trial,)))
    client, run = MlflowClient(store.uri), trial_runs(store, study.study_uid)[0]
    assert "seconds" not in run.data.metrics
    histories = [client.get_metric_history(run.info.run_id, name) for name in run.data.metrics]
    # MLflow keeps inf as 1.8e308.
    assert all(abs(point.value) < 1e300 for history in histories for point in history)
    steps = [point.step for point in client.get_metric_history(run.info.run_id, "data_loss")]
    assert steps == [1, 4]


def test_trial_by_trial_and_from_nothing_mlflow_is_the_same(
    store: Store, uninterrupted: Callable[[StudyRecord], list[dict[str, Any]]]
) -> None:
    study = make_study(4)
    tracker = Tracker(store, dataclasses.replace(study, trials=()))  # as a sweep begins
    for trial in study.trials:
        tracker.write(trial_plan(study, trial))
        # No run is RUNNING, whatever is killed now.
        assert study_run(store, study.study_uid).info.status == "SCHEDULED"
    tracker.finish(study)
    before = everything(store)
    assert before == uninterrupted(study)
    assert not sync_runs(tracker, study)
    assert everything(store) == before
    ids = {number: run.info.run_id for number, run in trial_runs(store, study.study_uid).items()}
    assert tracker.run_ids() == Tracker(store, study).run_ids() == ids


def datasets(run: Run) -> dict[str, tuple[str, str]]:
    """By context: name and digest."""
    return {
        tag.value: (one.dataset.name, one.dataset.digest)
        for one in run.inputs.dataset_inputs
        for tag in one.tags
    }


def test_each_part_with_rows_is_a_data_set_of_the_studys_run(store: Store, tmp_path: Path) -> None:
    files = [tmp_path / "rows.csv", tmp_path / "val.csv"]
    for file in files:
        file.touch()
    data = {"source": str(files[0]), "target": "y", "validation": str(files[1])}
    first = dataclasses.replace(make_study(1, data=data), **BORN)
    again = dataclasses.replace(make_study(1, data=data, training={"epochs": 7}), **BORN)
    other = dataclasses.replace(first, study_uid="b", data={**BORN["data"], "digest": "b" * 64})
    run = written(store, first)
    assert run.data.tags["mlflow.source.name"] == "sweeps run digits"
    there = datasets(run)
    assert (there["training"][0], there["validation"][0], len(there)) == ("rows", "val", 2)
    assert there["training"][1] != there["validation"][1]
    assert datasets(written(store, again)) == there
    digests = {digest for _, digest in datasets(written(store, other)).values()}
    assert digests.isdisjoint(digest for _, digest in there.values())
    given = [one.dataset for one in run.inputs.dataset_inputs]
    profiles = sorted(json.dumps(json.loads(one.profile), sort_keys=True) for one in given)
    assert profiles == [f'{{"num_features": 64, "num_rows": {rows}}}' for rows in (1078, 359)]
    assert sorted(json.loads(one.source)["uri"] for one in given) == [str(file) for file in files]


def test_the_views_are_there_without_being_asked_for(store: Store) -> None:
    study, client = make_study(3), MlflowClient(store.uri)
    written(store, study)
    experiment = client.get_experiment_by_name(store.experiment)
    assert experiment
    kind, key = "mlflow.experimentKind", f"mlflow.sharedViewState.{study.study_uid}"
    assert experiment.tags.keys() == {kind, key, f"{key}-curves"}
    assert experiment.tags[kind] == "custom_model_development"
    client.set_experiment_tag(experiment.experiment_id, kind, "as somebody wants it")
    written(store, study)
    Tracker(store, study).show()
    again = client.get_experiment(experiment.experiment_id).tags
    assert again == {**experiment.tags, kind: "as somebody wants it"}
