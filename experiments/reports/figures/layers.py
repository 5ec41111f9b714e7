"""Each penalty's share of the loss by layer, and the share of weights near zero."""

from collections.abc import Mapping

import numpy as np

from experiments.reports.axes import categories, linear
from experiments.reports.plot import Figure, Plot, tip
from experiments.reports.shown import Shown
from nnreg import LAMBDA_NAMES

WIDTH = 0.35  # of a bar, to each side


def figure(shown: Shown) -> Figure:
    """Bars for each layer of the recommended network, means over its seeds."""
    study = shown.study
    if study.verdict is None:
        return Figure([])
    networks = [study.confirmed[study.verdict.recommended, seed] for seed in study.verdict.seeds]
    penalties = np.array([[layer.penalties for layer in one.layers] for one in networks])
    totals = np.array([one.metrics.total_loss for one in networks])
    paid = (penalties / totals[:, np.newaxis, np.newaxis]).mean(axis=0)
    zeros = np.array([[layer.near_zero_weights for layer in one.layers] for one in networks])
    shares = {name: paid[:, n] for n, name in enumerate(LAMBDA_NAMES) if paid[:, n].any()}
    plots = []
    if shares:
        plots.append(_bars("each penalty's share of the total loss", shares))
    if zeros.any():
        means = {"near_zero_weights": zeros.mean(axis=0)}
        plots.append(_bars("share of weights near zero", means))
    return Figure(plots, [("block", name, name) for name in shares])


def _bars(title: str, shares: Mapping[str, np.ndarray]) -> Plot:
    """Bars on top of each other; their names are their kinds."""
    tops = np.cumsum([*shares.values()], axis=0)
    names = [f"layer {number}" for number in range(1, tops.shape[1])]
    x = categories([*names, "output layer"])
    plot = Plot(title, x, linear(tops[-1], percent=True, zero=True))
    for (name, each), stack in zip(shares.items(), tops, strict=True):
        for layer, (share, top) in enumerate(zip(each, stack, strict=True)):
            ends, words = (layer - WIDTH, layer + WIDTH), tip(f"{name}: {share:.3%}")
            plot.box(f"column {name}", ends, (top - share, top), words)
    return plot
