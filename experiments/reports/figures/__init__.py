"""The figures of the page, one per file."""

from experiments.reports.figures import costs, curves, layers, parallel, plane, search, strengths
from experiments.reports.plot import Figure
from experiments.reports.shown import Shown

FIGURES = (strengths, plane, curves, costs, layers, search, parallel)


def figures(shown: Shown) -> dict[str, Figure]:
    """The figures of a study, by the name of their file."""
    names = [file.__name__.rpartition(".")[2] for file in FIGURES]
    drawn = [file.figure(shown) if shown.ranked else Figure([]) for file in FIGURES]
    return dict(zip(names, drawn, strict=True))
