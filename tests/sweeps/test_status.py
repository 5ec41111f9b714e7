"""The status of studies, in a storage that others use too."""

from pathlib import Path

import optuna
import pytest

from experiments import experiment_file
from experiments.errors import StorageError
from sweeps.checkup.doctor import examine
from sweeps.checkup.status import statuses
from sweeps.storage.storage import open_storage
from sweeps.workspace import workspace


def test_studies_of_others_are_named_and_left_alone(tmp_path: Path) -> None:
    place = workspace(tmp_path, storage=str(tmp_path / "shared.journal"))
    assert place.storage
    place.open("mine", experiment_file.load("iris")).close()
    optuna.create_study(study_name="theirs", storage=open_storage(place.storage))
    assert place.choose(None) == "mine"
    found, (left_out,) = statuses(place)
    assert [one["study"] for one in found] == ["mine"]
    assert left_out.startswith(
        "left out: study theirs: it was never begun, or sweeps did not make it"
    )
    said = [finding.what for finding in examine(place)]
    assert "study mine: 0 of 100 trials, 0 runs on MLflow" in said
    assert "study theirs: sweeps did not create or begin it; it is left alone" in said


def test_an_mlflow_that_is_refused_is_said(tmp_path: Path) -> None:
    place = workspace(tmp_path)
    place.open("mine", experiment_file.load("iris")).close()
    (tmp_path / "mlflow.db").write_text("no database" * 1_000)
    for which in ("mine", None):
        (found,), (why,) = statuses(place, which)
        assert found["mlflow_missing"] is None
        assert why.startswith(f"MLflow at sqlite:///{tmp_path}/mlflow.db is broken (")


def test_a_broken_neighbour_is_named_once_and_passed_over(tmp_path: Path) -> None:
    place = workspace(tmp_path)
    for name in ("good", "broken"):
        place.open(name, experiment_file.load("iris")).close()
    journal = tmp_path / "studies" / "broken.journal"
    journal.write_bytes(journal.read_bytes().replace(b'"op_code":3', b'"op_code":99'))
    found, left_out = statuses(place)
    assert [one["study"] for one in found] == ["good"]
    (why,) = left_out
    says = f"{journal}: a record in it is not as it was recorded; restore a copy of the file"
    assert why == f"left out: {says}"
    findings = list(examine(place))
    assert [one.what for one in findings if one.level == "wrong"] == [says]
    assert "study good: 0 of 100 trials, 0 runs on MLflow" in [one.what for one in findings]
    with pytest.raises(StorageError, match="a record in it"):
        statuses(place, "broken")
