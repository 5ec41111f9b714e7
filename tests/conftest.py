"""What holds for all tests: the longest come first, and under CI=true a skip is a failure; MLflow's
database, made once.
"""

import os
from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest

HERE = Path(__file__).parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Those that look at the whole from the outside take longest, and of them the killing: what is
    begun last is waited for alone.
    """
    items.sort(
        key=lambda item: (
            item.path.name != "test_chaos.py",
            item.path.parent != HERE,
            item.path.parent.name != "sweeps",
        )
    )


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[Any]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """On a laptop a test that needs something absent is skipped with its reason; a machine that
    guards the code must have it.
    """
    report = yield
    if os.environ.get("CI") == "true" and report.skipped:
        report.outcome = "failed"
        report.longrepr = f"{item.nodeid}: {report.longrepr}; under CI=true nothing may be skipped"
    return report


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An empty MLflow database, made once: its hundred tables take a second."""
    from experiments.tracking import Store
    from experiments.tracking.client import answering, make_database

    path = tmp_path_factory.mktemp("made") / "mlflow.db"
    with answering(Store(f"sqlite:///{path}", "digits", None)):
        make_database(path, None)
    return path


@pytest.fixture(scope="module")
def tracker_here() -> Generator[None]:
    """Sweeps in this process write to MLflow from here too."""
    from sweeps import session
    from tests.here import Here

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(session, "TrackerProcess", Here)
        yield
