"""The installation: whether Python finds our modules by their names. Imports nothing of ours."""

from importlib.util import find_spec
from pathlib import Path


def problem() -> str:
    """Return one sentence on what hides our modules; empty if nothing does."""
    for name in ("nnreg", "experiments"):
        ours = Path(__file__).parents[2] / name / "__init__.py"
        spec = find_spec(name)
        found = Path(spec.origin) if spec and spec.origin else None
        if found is None or found.resolve() != ours.resolve():
            return (
                f"{found or 'nothing'} is found for the module {name}, in place of {ours}; rename"
                " it, or start Python in another folder, or take its folder off PYTHONPATH"
            )
    return ""
