"""What a test needs and a machine may lack: on a laptop the test is skipped with its reason, under CI=true it fails."""

import importlib
import os
import shutil
from types import ModuleType
from typing import NoReturn

import pytest


def needs_program(name: str) -> str:
    """The path of a program."""
    return shutil.which(name) or lacking(f"the program {name} is not on the PATH")


def needs_module(name: str) -> ModuleType:
    """An importable module."""
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        return lacking(f"the module {error.name} is not installed")


def lacking(reason: str) -> NoReturn:
    if os.environ.get("CI") == "true":
        pytest.fail(f"{reason}, and under CI=true nothing may be skipped", pytrace=False)
    pytest.skip(reason)
