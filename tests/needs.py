"""What a test needs that may be absent: skipped with its reason on a laptop, a failure under CI=true."""

import os
from importlib import import_module
from typing import Any

import pytest


def needs_module(name: str) -> Any:
    """The module `name`; where it is not installed, the test skips, or fails under CI=true."""
    try:
        return import_module(name)
    except ModuleNotFoundError:
        reason = f"{name} is not installed"
        if os.environ.get("CI") == "true":
            pytest.fail(f"{reason}, and under CI=true every test runs", pytrace=False)
        pytest.skip(reason)
