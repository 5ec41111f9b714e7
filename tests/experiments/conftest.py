"""What the tests of tracking share."""

import shutil
from pathlib import Path

import pytest

from experiments.tracking import Store, choose


@pytest.fixture
def store(tmp_path: Path, made: Path) -> Store:
    """The store of an empty directory."""
    shutil.copy(made, tmp_path)
    return choose(tmp_path, "digits", environ={})
