"""The data of a study as MLflow's datasets, and where it comes from."""

import dataclasses
import json
from pathlib import Path
from typing import Any

from mlflow import MlflowClient
from mlflow.data.schema import TensorDatasetSchema
from mlflow.entities import Run

from experiments.records import StudyRecord
from experiments.tracking import Store, Tracker
from tests.mlflow_reading import everything, study_run
from tests.studies import make_study

BORN: dict[str, Any] = {
    "provenance": {"command": "sweeps run digits", "commit": "0" * 40, "user": "somebody"},
    "data": {
        "digest": "a" * 64,
        "features": 64,
        "rows": {"training": 1078, "validation": 359, "test": 0},
    },
}


def born(study: StudyRecord, **changes: Any) -> StudyRecord:
    return dataclasses.replace(study, **{**BORN, **changes})


def datasets(run: Run) -> dict[str, tuple[str, str, str | None]]:
    """By context: name, digest and profile."""
    return {
        tag.value: (one.dataset.name, one.dataset.digest, one.dataset.profile)
        for one in run.inputs.dataset_inputs
        for tag in one.tags
    }


def test_each_part_with_rows_is_a_dataset_of_the_studys_run(store: Store) -> None:
    study = born(make_study(1))
    assert Tracker(store, study).sync(study).study
    there = datasets(study_run(store, study.study_uid))
    assert {context: (name, profile) for context, (name, _, profile) in there.items()} == {
        "training": ("digits", '{"num_rows": 1078}'),
        "validation": ("digits", '{"num_rows": 359}'),
    }
    assert len({digest for _, digest, _ in there.values()}) == 2


def test_a_part_has_its_file_and_its_shapes(store: Store, tmp_path: Path) -> None:
    files = [tmp_path / "rows.csv", tmp_path / "val.csv"]
    for file in files:
        file.touch()
    study = born(
        make_study(1, data={"source": str(files[0]), "target": "y", "validation": str(files[1])})
    )
    Tracker(store, study).sync(study)
    given = [one.dataset for one in study_run(store, study.study_uid).inputs.dataset_inputs]
    assert sorted(json.loads(one.source)["uri"] for one in given) == [str(file) for file in files]
    for one in given:
        schema = TensorDatasetSchema.from_dict(json.loads(one.schema))
        assert [part.inputs[0].shape for part in (schema.features, schema.targets)] == [
            (-1, 64),
            (-1,),
        ]


def test_the_same_data_have_the_same_digest_and_others_another(store: Store) -> None:
    first, again = born(make_study(1)), born(make_study(1, training={"epochs": 7}))
    other = born(make_study(1), data={**BORN["data"], "digest": "b" * 64})
    for study in (first, again, other):
        Tracker(store, study).sync(study)
    one, two, three = (
        datasets(study_run(store, study.study_uid)) for study in (first, again, other)
    )
    assert one == two
    assert {digest for _, digest, _ in one.values()}.isdisjoint(
        digest for _, digest, _ in three.values()
    )


def test_a_sync_writes_what_is_missing_and_a_second_one_nothing(store: Store) -> None:
    """A run from before a study said where it comes from."""
    study = make_study(2)
    Tracker(store, study).sync(study)
    study = born(study)
    tracker = Tracker(store, study)
    assert tracker.audit(study).study == [
        "no commit", "no mlflow.source.name", "no mlflow.source.type", "no mlflow.source.git.commit", "no mlflow.user",
        "no training data", "no validation data",
    ]  # fmt: skip
    assert tracker.sync(study) == (0, 0, True)
    before = everything(store)
    tracker = Tracker(store, study)
    assert tracker.audit(study).study == []
    assert tracker.sync(study) == (0, 0, False)
    assert everything(store) == before
    run = study_run(store, study.study_uid)
    assert run.data.tags["mlflow.source.name"] == "sweeps run digits"
    assert len(run.inputs.dataset_inputs) == 2


def test_the_views_are_there_without_being_asked_for_and_set_once(store: Store) -> None:
    study = make_study(3)
    Tracker(store, study).sync(study)
    client = MlflowClient(store.uri)
    experiment = client.get_experiment_by_name(store.experiment)
    assert experiment
    assert experiment.tags["mlflow.experimentKind"] == "custom_model_development"
    views = {key for key in experiment.tags if key.startswith("mlflow.sharedViewState.")}
    assert views == {f"mlflow.sharedViewState.{study.study_uid}{view}" for view in ("", "-curves")}
    client.set_experiment_tag(
        experiment.experiment_id, "mlflow.experimentKind", "as somebody wants it"
    )
    Tracker(store, study).sync(study)
    Tracker(store, study).show()
    again = client.get_experiment(experiment.experiment_id).tags
    assert again == {**experiment.tags, "mlflow.experimentKind": "as somebody wants it"}
