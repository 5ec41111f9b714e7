"""What holds for all tests: under CI=true a skip is a failure."""

import os
from collections.abc import Generator
from typing import Any

import pytest


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[Any]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """On a laptop a test that needs something absent is skipped with its reason; a machine that guards the code must have it."""
    report = yield
    if os.environ.get("CI") == "true" and report.skipped:
        report.outcome = "failed"
        report.longrepr = f"{item.nodeid}: {report.longrepr}; under CI=true nothing may be skipped"
    return report
