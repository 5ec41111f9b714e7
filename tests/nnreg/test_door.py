"""The door: what `import nnreg` offers, and how little it loads."""

import subprocess
import sys
from importlib import import_module
from typing import Any

import pytest

import nnreg

OFFERED = [
    "CURVE_NAMES",
    "LAMBDA_NAMES",
    "SGD",
    "Adam",
    "CategoricalCrossentropy",
    "Dense",
    "Fit",
    "Lambdas",
    "Loss",
    "ReLU",
    "Split",
    "TrainConfig",
    "losses_and_hits",
    "penalties_by_layer",
    "penalty_terms",
    "probabilities",
    "softmax",
    "train",
]


def modules_after(code: str) -> set[str]:
    """The modules that a fresh interpreter has loaded after `code`."""
    script = f"import sys; sys.path[:0] = {sys.path!r}\n{code}\nprint(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-I", "-c", script], capture_output=True, text=True, check=True
    )
    return set(done.stdout.split())


def test_what_is_offered() -> None:
    assert nnreg.__all__ == OFFERED
    assert set(OFFERED) <= set(dir(nnreg))
    for name in OFFERED:
        assert getattr(nnreg, name) is not None


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="module 'nnreg' has no attribute 'Dens'"):
        _ = nnreg.Dens


def test_each_name_is_the_one_of_its_module() -> None:
    for name in OFFERED:
        value: Any = getattr(nnreg, name)
        home = getattr(value, "__module__", None)
        if home is not None:
            assert getattr(import_module(home), name) is value


def test_the_door_alone_loads_nothing_else() -> None:
    loaded = modules_after("import nnreg")
    assert {name for name in loaded if name.startswith("nnreg")} == {"nnreg"}
    assert "numpy" not in loaded


def test_training_needs_numpy_and_the_standard_library_only() -> None:
    loaded = modules_after("import nnreg; [getattr(nnreg, name) for name in nnreg.__all__]")
    strangers = {name.split(".")[0] for name in loaded - modules_after("import numpy.random")}
    assert strangers - {"numpy"} - set(sys.stdlib_module_names) == {"nnreg"}
