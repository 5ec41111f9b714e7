"""What holds for all tests: their order, the quick selection, and that CI skips none."""

import os
from collections.abc import Callable, Generator
from pathlib import Path
from typing import Any
from unittest import mock

import pytest

HERE = Path(__file__).parent
QUICK = (
    "nnreg",
    "experiments/test_card.py",
    "experiments/test_datasets.py",
    "experiments/test_reports.py",
    "experiments/test_template.py",
    "experiments/test_tracking.py",
    "sweeps/confirmation",
    "sweeps/search/test_study.py",
    "test_house.py",
    "test_quick.py",
)
"""Files and folders of the quick selection, `pytest -m quick`: the main way of each package."""


def is_quick(path: Path) -> bool:
    return any(path.is_relative_to(HERE / name) for name in QUICK)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the quick selection, and begin with the longest: nothing then waits for them alone."""
    items.sort(
        key=lambda item: (
            item.path.name != "test_chaos.py",
            item.path.parent != HERE,
            "sweeps" not in item.path.parts,
        )
    )
    for item in items:
        if is_quick(item.path):
            item.add_marker("quick")


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Import no other file for the quick selection: that alone would take ten seconds."""
    if config.option.markexpr == "quick" and collection_path.suffix == ".py":
        return not is_quick(collection_path) or None
    return None


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[Any]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Skip a test that needs something absent on a laptop, and fail it under CI=true."""
    report = yield
    if os.environ.get("CI") == "true" and report.skipped:
        report.outcome = "failed"
        report.longrepr = f"{item.nodeid}: {report.longrepr}; under CI=true nothing may be skipped"
    return report


@pytest.fixture(scope="module", autouse=True)
def numpy_to_begin_with() -> Generator[None]:
    """Each file begins with networks that train in NumPy, whatever the last one loaded here."""
    from nnreg import passes

    with mock.patch.dict(passes._compiled):
        yield


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An empty MLflow database, made once: its hundred tables take a second."""
    from experiments.tracking import client, database

    client.load()
    path = tmp_path_factory.mktemp("made") / "mlflow.db"
    database.make(path)
    return path


@pytest.fixture(scope="module")
def tracker_here() -> Generator[None]:
    """Sweeps in this process write to MLflow from here too."""
    import mlflow

    from experiments.model import pyfunc
    from experiments.tracking import Tracker, client
    from sweeps import session, workspace

    def log_and_reset(*model: Any, log: Callable[..., None] = pyfunc.log) -> None:
        log(*model)
        mlflow.set_tracking_uri(None)  # type: ignore[arg-type]  # set for a process of its own

    client.load()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pyfunc, "log", log_and_reset)
        for module in (session, workspace):
            patch.setattr(module, "TrackerProcess", Tracker)
        yield
