"""Each penalty's share of the loss by layer, and the share of weights near zero."""

import numpy as np

from experiments.measures import percent
from experiments.reports.axes import Axis, categories, linear
from experiments.reports.plot import Figure, Plot, tip
from experiments.reports.shown import Shown
from nnreg import LAMBDA_NAMES

WIDTH = 0.2  # of a bar, to each side


def figure(shown: Shown) -> Figure:
    """Bars for each layer of the confirmed network, means over its seeds: a plot per penalty, all
    on one scale, and one for the weights.
    """
    study = shown.study
    if study.verdict is None or study.experiment.own:  # whose layers are not known
        return Figure([])
    networks = study.confirmed[study.verdict.recommended]
    penalties = np.array([[layer.penalties for layer in one.layers] for one in networks])
    totals = np.array([one.metrics.total_loss for one in networks])
    paid = (penalties / totals[:, np.newaxis, np.newaxis]).mean(axis=0)
    zeros = np.array([[layer.near_zero_weights for layer in one.layers] for one in networks])
    y, kind = linear(paid.flat, percent=True, zero=True), shown.penalised_kind
    plots = [
        _bars(f"{name}: share of the total loss", paid[:, n], y, kind)
        for n, name in enumerate(LAMBDA_NAMES)
        if paid[:, n].any()
    ]
    if zeros.any():
        means = zeros.mean(axis=0)
        y = linear(means, percent=True, zero=True)
        plots.append(_bars("share of weights near zero", means, y, kind))
    return Figure(plots)


def _bars(title: str, shares: np.ndarray, y: Axis, kind: str) -> Plot:
    layers = [*(f"layer {number}" for number in range(1, len(shares))), "output layer"]
    values = [
        f"{layer}: {percent(share, digits=2)}" for layer, share in zip(layers, shares, strict=True)
    ]
    plot = Plot(title, categories(layers), y, ", ".join(values), height=220)
    for layer, (share, words) in enumerate(zip(shares, values, strict=True)):
        plot.box(f"column {kind}", (layer - WIDTH, layer + WIDTH), (0, share), tip(words))
    return plot
