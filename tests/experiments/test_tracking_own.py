"""A study of a user's own network on MLflow: its parameters, its curves, and the trials that were
pruned.
"""

import dataclasses
import json
from typing import Any

from mlflow import MlflowClient

from experiments.records import StudyRecord
from experiments.tracking import Store, Tracker, audit_runs, read_trial_runs, sync_runs
from experiments.tracking.plan import LOG10, RANKING
from tests.mlflow_reading import study_run, trial_runs
from tests.studies import OWN_CURVE, confirmed_study, own_study


def view(store: Store, study: StudyRecord, which: str) -> dict[str, Any]:
    """A view of a study as MLflow has it."""
    sync_runs(Tracker(store, study), study)
    experiment = MlflowClient(store.uri).get_experiment_by_name(store.experiment)
    assert experiment
    tag = json.loads(experiment.tags[f"mlflow.sharedViewState.{study.study_uid}{which}"])
    state: dict[str, Any] = json.loads(tag["state"])
    return state


def test_a_run_of_an_own_network_has_its_parameters_and_curves_and_nothing_of_ours(
    store: Store,
) -> None:
    study = own_study(6, missing=("regularization_loss",), pruned=(5,), sweep={"pruner": "median"})
    study = dataclasses.replace(confirmed_study(study), unseeded="data_loss 1 and 2 at epoch 1")
    sync_runs(Tracker(store, study), study)
    assert audit_runs(Tracker(store, study), study).problems == ()
    params = study_run(store, study.study_uid).data.params
    assert params["model.source"] == "net.py"
    assert params["model.parameters.activation"] == "relu"
    assert params["model.parameters.hidden"] == "{'low': 4, 'high': 32, 'log': False}"
    for ours in ("training.optimizer", "lambdas.layers", "model.hidden", "model.directory"):
        assert ours not in params
    unseeded = study_run(store, study.study_uid).data.tags["unseeded"]
    assert unseeded == "data_loss 1 and 2 at epoch 1"
    client, runs = MlflowClient(store.uri), trial_runs(store, study.study_uid)
    ids = {trial: run.info.run_id for trial, run in runs.items()}
    assert read_trial_runs(store, study) == ids  # also with a pruned one
    for trial in study.trials:
        run = runs[trial.trial]
        for name, value in trial.setting.parameters:
            assert run.data.params[f"parameter_{name}"] == repr(value)
            assert run.data.metrics[f"parameter_{name}"] == value
        logs = {name for name in run.data.metrics if name.startswith(f"{LOG10}parameter_")}
        assert logs == {f"{LOG10}parameter_scale"}
        history = client.get_metric_history(run.info.run_id, OWN_CURVE)
        curve = [*trial.curves[OWN_CURVE], trial.curves[OWN_CURVE][trial.best_epoch - 1]]
        assert [point.value for point in history] == curve
        assert "regularization_loss" not in run.data.metrics
    pruned = runs[5]
    assert pruned.info.status == "KILLED"
    assert RANKING not in pruned.data.metrics  # so it comes after all complete ones
    note = "Pruned after epoch 1: worse than half of the earlier trials at that epoch."
    assert pruned.data.tags["mlflow.note.content"] == note


def test_the_columns_of_an_own_network_are_narrow_and_none_is_empty(store: Store) -> None:
    parameters = {f"a_very_long_name_{number}": {"low": 1, "high": 9} for number in range(6)}
    for missing, there in (((), True), (("regularization_loss",), False)):
        study = own_study(3, parameters=parameters, missing=missing, name="".join(missing) or "all")
        table = view(store, study, "")
        assert ("metrics.`regularization_loss`" in table["selectedColumns"]) == there
        own = [f"metrics.`parameter_{name}`" for name in parameters]
        assert [one for one in table["selectedColumns"] if "parameter_" in one] == own
        assert {table["columnWidths"][one] for one in own} == {190}
        charts = view(store, study, "-curves")["compareRunCharts"]
        assert OWN_CURVE in [chart.get("metricKey") for chart in charts]
