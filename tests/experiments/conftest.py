"""What the tests of tracking share."""

import shutil
from pathlib import Path

import pytest

from experiments.tracking import Store, choose
from experiments.tracking.client import answering, make_database


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An empty MLflow database, made once: its hundred tables take a second."""
    path = tmp_path_factory.mktemp("made") / "mlflow.db"
    with answering(Store(f"sqlite:///{path}", "digits", None)):
        make_database(path, None)
    return path


@pytest.fixture
def store(tmp_path: Path, made: Path) -> Store:
    """The store of an empty directory."""
    shutil.copy(made, tmp_path)
    return choose(tmp_path, "digits", environ={})
