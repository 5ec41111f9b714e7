"""How many of the trials that are not shown one by one have which objective."""

import numpy as np

from experiments.reports.axes import linear
from experiments.reports.plot import Figure, Plot, tip
from experiments.reports.shown import Shown

BINS = 40


def figure(shown: Shown) -> Figure | None:
    """A histogram."""
    study = shown.study
    values = [study.value(trial) for trial in study.complete if trial.trial not in shown.numbers]
    if not values:
        return None
    counts, edges = np.histogram(values, bins=BINS)
    x = linear(edges.tolist(), shown.objective, percent=shown.percent)
    title = "all other trials, by their objective"
    plot = Plot(title, x, linear(counts.tolist(), "trials", zero=True), height=260, wide=True)
    for low, high, count in zip(edges[:-1], edges[1:], counts, strict=True):
        plot.box("column trial", (low, high), (0, count), tip(f"{count} trials"))
    return Figure([plot])
