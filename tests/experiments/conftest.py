"""What the tests of tracking share."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from experiments.records import StudyRecord
from experiments.tracking import Store, Tracker, choose, sync_runs
from tests.mlflow_reading import everything


@pytest.fixture
def store(tmp_path: Path, made: Path) -> Store:
    """The store of an empty directory."""
    shutil.copy(made, tmp_path)
    return choose(tmp_path, "digits", environ={})


@pytest.fixture
def uninterrupted(made: Path, tmp_path: Path) -> Callable[[StudyRecord], list[dict[str, Any]]]:
    """Everything on an MLflow that a study was written to at once."""

    def written(study: StudyRecord) -> list[dict[str, Any]]:
        folder = tmp_path / "uninterrupted"
        folder.mkdir()
        shutil.copy(made, folder)
        store = choose(folder, "digits", environ={})
        sync_runs(Tracker(store, study), study)
        return everything(store)

    return written
