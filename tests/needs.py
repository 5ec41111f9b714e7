"""What a test needs and a machine may lack: the test is then skipped with its reason (which fails
it under CI=true).
"""

import importlib
import importlib.util
import shutil
from types import ModuleType

import pytest


def needs_program(name: str) -> str:
    """The path of a program."""
    return shutil.which(name) or pytest.skip(f"the program {name} is not on the PATH")


def needs_module(name: str) -> ModuleType:
    """An importable module."""
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        pytest.skip(f"the module {error.name} is not installed")


def needs_package(name: str) -> None:
    """A package that is installed, for another process: to import some takes seconds, and this one
    must not.
    """
    if importlib.util.find_spec(name) is None:
        pytest.skip(f"the package {name} is not installed")
