"""The learning curves of the recommended setting, or the best trial, and of the baseline."""

from collections.abc import Mapping, Sequence

import numpy as np

from experiments.records import StudyRecord
from experiments.reports.axes import linear
from experiments.reports.plot import Figure, Plot, tip
from experiments.reports.shown import Shown, in_words

MOST_POINTS, MOST_TIPS = 400, 50  # of a curve: more are finer than a screen, or than a pointer

Curves = Mapping[str, Sequence[float]]


def figure(shown: Shown) -> Figure:
    """A plot for each metric that is not zero everywhere."""
    arms, plots = _arms(shown.study), []
    for metric in ("data_loss", "regularization_loss", "val_accuracy"):
        lines = {kind: np.array([one[metric] for one in curves]) for kind, curves in arms.items()}
        if any(values.any() for values in lines.values()):
            plots.append(_plot(in_words(metric), lines))
    best = "recommended" if shown.study.verdict else "best of the search"
    words = {"baseline": "no regularization", "best": best}
    return Figure(plots, [("line", kind, words[kind]) for kind in arms])


def _arms(study: StudyRecord) -> dict[str, list[Curves]]:
    """The curves of each network, by the kind of their line."""
    arms: dict[str, list[Curves]] = {}
    if study.verdict:
        verdict = study.verdict
        for kind, setting in ("baseline", verdict.baseline), ("best", verdict.recommended):
            networks = [study.confirmed[setting, seed] for seed in verdict.seeds]
            arms[kind] = [one.curves for one in networks]
    else:
        for kind, trial in ("baseline", study.baseline), ("best", study.best):
            arms |= {kind: [trial.curves]} if trial else {}
    if arms["best"] == arms.get("baseline"):
        del arms["best"]
    return arms


def _plot(title: str, lines: dict[str, np.ndarray]) -> Plot:
    """The mean of each line over its networks, within a band from the lowest to the highest."""
    percent = title.endswith("accuracy")
    epochs = next(iter(lines.values())).shape[1]
    at = np.unique(np.linspace(0, epochs - 1, min(epochs, MOST_POINTS)).astype(int))
    ends = [end(values) for values in lines.values() for end in (np.min, np.max)]
    plot = Plot(title, linear([1, epochs], "epoch"), linear(ends, percent=percent), height=280)
    for kind, values in lines.items():
        low, high, mean = (part(values, axis=0)[at] for part in (np.min, np.max, np.mean))
        around = [*zip(at + 1, low, strict=True), *zip(at[::-1] + 1, high[::-1], strict=True)]
        plot.lines([(f'class="{kind}"', around)], "polygon")
        plot.line(kind, zip(at + 1, mean, strict=True))
        for n in range(0, len(at), 1 + len(at) // MOST_TIPS):
            words = tip(f"epoch {at[n] + 1}: {mean[n]:.4g}")
            plot.point("circle" if epochs == 1 else "unseen", kind, at[n] + 1, mean[n], words)
    return plot
