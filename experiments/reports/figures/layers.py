"""Each penalty's share of the loss by layer, and the share of weights near zero."""

import itertools
from statistics import fmean

from experiments.records import StudyRecord
from experiments.reports.axes import Axis, categories, linear
from experiments.reports.plot import Figure, Plot, tip
from nnreg import LAMBDA_NAMES

WIDTH = 0.35  # of a bar, to each side


def figure(study: StudyRecord) -> Figure | None:
    """Bars for each layer of the recommended network, mean over its seeds."""
    if study.verdict is None:
        return None
    recommended = study.verdict.recommended
    networks = [one for (lambdas, _), one in study.confirmed.items() if lambdas == recommended]
    layers = range(len(networks[0].layers))
    x = categories([*(f"layer {number + 1}" for number in layers[:-1]), "output layer"])
    paid = {
        name: [
            fmean(one.layers[layer].penalties[number] / one.metrics.total_loss for one in networks)
            for layer in layers
        ]
        for number, name in enumerate(LAMBDA_NAMES)
    }
    paid = {name: shares for name, shares in paid.items() if any(shares)}
    near_zero = {
        "near_zero_weights": [
            fmean(one.layers[layer].near_zero_weights for one in networks) for layer in layers
        ]
    }
    plots = []
    if paid:
        plots.append(_bars("each penalty's share of the total loss", x, paid))
    if any(near_zero["near_zero_weights"]):
        plots.append(_bars("share of weights near zero", x, near_zero))
    return Figure(plots, [("block", name, name) for name in paid]) if plots else None


def _bars(title: str, x: Axis, shares: dict[str, list[float]]) -> Plot:
    """Bars on top of each other, with their kind by name."""
    stacks = [[0.0, *itertools.accumulate(stack)] for stack in zip(*shares.values(), strict=True)]
    y = linear([top for *_, top in stacks], percent=True, zero=True)
    plot = Plot(title, x, y)
    for layer, ends in enumerate(stacks):
        for name, (low, high) in zip(shares, itertools.pairwise(ends), strict=True):
            words = tip(f"{name}: {high - low:.3%}")
            plot.box(f"column {name}", (layer - WIDTH, layer + WIDTH), (low, high), words)
    return plot
