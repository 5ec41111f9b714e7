"""How many of the trials that are not shown one by one have which objective."""

import numpy as np

from experiments.reports.axes import linear
from experiments.reports.plot import Figure, Plot, tip
from experiments.reports.shown import Shown

BINS = 40


def figure(shown: Shown) -> Figure:
    """A histogram."""
    if not shown.rest:
        return Figure([])
    values = [shown.study.value(trial) for trial in shown.rest]
    counts, edges = (array.tolist() for array in np.histogram(values, bins=BINS))
    x = linear(edges, shown.objective, percent=shown.percent)
    plot = Plot("all other trials", x, linear(counts, "trials", zero=True), height=260, wide=True)
    for at, count in enumerate(counts):
        plot.box("column trial", (edges[at], edges[at + 1]), (0, count), tip(f"{count} trials"))
    return Figure([plot])
