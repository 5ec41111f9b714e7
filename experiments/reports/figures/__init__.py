"""The figures of the page, one per file."""

from experiments.reports.figures import (
    costs,
    curves,
    layers,
    others,
    parallel,
    plane,
    search,
    strengths,
)
from experiments.reports.plot import Figure
from experiments.reports.shown import Shown

FIGURES = (strengths, plane, others, curves, costs, layers, search, parallel)


def figures(shown: Shown) -> dict[str, Figure | None]:
    """The figures of a study by the name of their file; None where there is nothing to show."""
    return {file.__name__.rpartition(".")[2]: file.figure(shown) for file in FIGURES}
