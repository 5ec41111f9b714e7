"""What `import nnreg` loads: NumPy and the standard library only, scikit-learn's estimator not."""

import subprocess
import sys


def modules_after(code: str) -> set[str]:
    """The modules that a fresh interpreter has loaded after `code`."""
    script = f"import sys; sys.path[:0] = {sys.path!r}\n{code}\nprint(*sys.modules)"
    command = [sys.executable, "-I", "-c", script]
    return set(subprocess.run(command, capture_output=True, text=True, check=True).stdout.split())


def test_training_needs_numpy_and_the_standard_library_only() -> None:
    loaded = modules_after("import nnreg")
    others = {name.split(".")[0] for name in loaded - modules_after("import numpy.random")}
    assert others - {"numpy"} - set(sys.stdlib_module_names) == {"nnreg"}
