"""Sweeps over the four lambdas of a regularized network: `sweeps.run("digits", trials=50)`."""

import logging
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from experiments.errors import SweepsError as SweepsError
    from experiments.spec import Experiment as Experiment
    from sweeps.comparison import compare as compare
    from sweeps.result import Sweep as Sweep
    from sweeps.search.objective import objective as objective
    from sweeps.sweep import confirm as confirm
    from sweeps.sweep import run as run

    __version__: str

_HOMES = {
    "Experiment": "experiments.spec",
    "Sweep": "sweeps.result",
    "SweepsError": "experiments.errors",
    "compare": "sweeps.comparison",
    "confirm": "sweeps.sweep",
    "objective": "sweeps.search.objective",
    "run": "sweeps.sweep",
}
__all__ = list(_HOMES)

logging.getLogger(__name__).addHandler(logging.NullHandler())  # silent unless somebody listens


def __getattr__(name: str) -> Any:
    """Import on first use: `sweeps --help` needs nothing that a sweep needs."""
    if name == "__version__":
        from importlib.metadata import version

        return version("nnreg-sweeps")
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    from sweeps.checkup import installation

    if problem := installation.problem():
        raise ImportError(problem)
    try:
        return getattr(import_module(_HOMES[name]), name)
    except Exception as error:  # whatever a library makes of a module that is not Python's
        if problem := installation.hidden():
            raise ImportError(problem) from error
        raise
