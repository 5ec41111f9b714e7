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


def figures(shown: Shown) -> dict[str, Figure]:
    """The figures of a study by name, without those that have nothing to show."""
    made = {
        "strengths": strengths.figure(shown),
        "plane": plane.figure(shown),
        "others": others.figure(shown),
        "curves": curves.figure(shown.study),
        "costs": costs.figure(shown.study),
        "layers": layers.figure(shown.study),
        "search": search.figure(shown),
        "parallel": parallel.figure(shown),
    }
    return {name: figure for name, figure in made.items() if figure}
