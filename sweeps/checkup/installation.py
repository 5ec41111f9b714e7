"""The installation: whether the modules that Python finds by our names are ours. Imports nothing of
ours.
"""

import importlib.util
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

OURS = ("nnreg", "experiments", "sweeps")
REMEDY = (
    "install nnreg-sweeps into a virtual environment of its own, and take other folders off"
    " PYTHONPATH"
)


def strangers() -> list[str]:
    """What is in our way, a clause each; empty where all is well."""
    home = Path(__file__).parents[2]
    found = []
    for name in OURS:
        spec = importlib.util.find_spec(name)
        origin = Path(spec.origin).parents[1] if spec and spec.origin else None
        if origin is None or not origin.samefile(home):
            found.append(
                f"the module {name} is not ours, it comes from"
                f" {origin or 'a folder without __init__.py'}"
            )
    try:
        other = distribution("sweeps")
    except PackageNotFoundError:
        return found
    return [
        *found,
        (
            f"the distribution sweeps {other.version} is installed too, another tool's engine with"
            " the same module name"
        ),
    ]
