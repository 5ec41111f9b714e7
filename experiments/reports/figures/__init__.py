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


def figures(shown: Shown) -> dict[str, Figure]:
    """The figures of a study that have something to show, by the name of their file."""
    drawn = {file.__name__: file.figure(shown) for file in FIGURES if shown.ranked}
    return {name.rpartition(".")[2]: figure for name, figure in drawn.items() if figure.plots}
