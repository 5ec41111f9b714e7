"""The door: what `import nnreg` offers, and how little it loads."""

import subprocess
import sys

import pytest

import nnreg


def modules_after(code: str) -> set[str]:
    """The modules that a fresh interpreter has loaded after `code`."""
    script = f"import sys; sys.path[:0] = {sys.path!r}\n{code}\nprint(*sys.modules)"
    command = [sys.executable, "-I", "-c", script]
    return set(subprocess.run(command, capture_output=True, text=True, check=True).stdout.split())


def test_every_name_is_there_and_no_other() -> None:
    assert set(nnreg.__all__) <= set(dir(nnreg))
    assert all(getattr(nnreg, name) is not None for name in nnreg.__all__)
    with pytest.raises(AttributeError, match="module 'nnreg' has no attribute 'Dens'"):
        _ = nnreg.Dens


def test_the_door_alone_loads_nothing_else() -> None:
    loaded = modules_after("import nnreg")
    assert {name for name in loaded if name.startswith("nnreg")} == {"nnreg"}
    assert "numpy" not in loaded


def test_training_needs_numpy_and_the_standard_library_only() -> None:
    loaded = modules_after("import nnreg; [getattr(nnreg, name) for name in nnreg.__all__]")
    others = {name.split(".")[0] for name in loaded - modules_after("import numpy.random")}
    assert others - {"numpy"} - set(sys.stdlib_module_names) == {"nnreg"}
