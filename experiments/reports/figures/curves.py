"""The learning curves of the recommended setting (before a confirmation: of the best trial) and of
the baseline, with bands over the seeds.
"""

import math
from collections.abc import Iterator, Mapping, Sequence

from experiments.records import StudyRecord
from experiments.reports.axes import label, linear
from experiments.reports.plot import Figure, Plot, tip
from nnreg import Lambdas

TITLES = {
    "data_loss": "data loss",
    "regularization_loss": "regularization loss",
    "val_accuracy": "validation accuracy",
}
MOST_POINTS, MOST_TIPS = 400, 50  # of a curve: more are finer than a screen, or than a pointer

Networks = list[Mapping[str, Sequence[float]]]  # the curves of each


def figure(study: StudyRecord) -> Figure | None:
    """A plot for each metric, without a regularization loss that is zero everywhere."""
    arms = list(_arms(study))
    plots = []
    for metric, title in TITLES.items():
        if any(any(one[metric]) for _, _, networks in arms for one in networks):
            plots.append(_plot(title, [(kind, _spans(metric, nets)) for kind, _, nets in arms]))
    return Figure(plots, [("line", kind, words) for kind, words, _ in arms]) if plots else None


def _arms(study: StudyRecord) -> Iterator[tuple[str, str, Networks]]:
    """The kind of each line, what it is, and the networks behind it."""
    verdict = study.verdict
    if verdict:
        confirmed = study.confirmed
        for kind, words, lambdas in (
            ("baseline", "no regularization", Lambdas()),
            ("best", "recommended", verdict.recommended),
        ):
            if kind == "baseline" or lambdas.on:
                yield kind, words, [confirmed[lambdas, seed].curves for seed in verdict.seeds]
        return
    if study.baseline:
        yield "baseline", "no regularization", [study.baseline.curves]
    if study.best and study.best is not study.baseline:
        yield "best", "best of the search", [study.best.curves]


def _spans(metric: str, networks: Networks) -> dict[int, tuple[float, float, float]]:
    """The mean, the lowest and the highest value by epoch."""
    by_epoch = list(zip(*(curves[metric] for curves in networks), strict=True))
    return {
        epoch + 1: (
            math.fsum(by_epoch[epoch]) / len(networks),
            min(by_epoch[epoch]),
            max(by_epoch[epoch]),
        )
        for epoch in _thinned(len(by_epoch), MOST_POINTS)
    }


def _thinned(length: int, most: int) -> list[int]:
    """At most so many of the numbers below a length, the last one included."""
    return sorted({*range(0, length, math.ceil(length / most)), length - 1})


def _plot(title: str, lines: list[tuple[str, dict[int, tuple[float, float, float]]]]) -> Plot:
    percent = title.endswith("accuracy")
    values = [value for _, spans in lines for span in spans.values() for value in span]
    epochs = linear([epoch for _, spans in lines for epoch in spans], "epoch")
    plot = Plot(title, epochs, linear(values, percent=percent), height=280)
    for kind, spans in lines:
        lowest = [(epoch, low) for epoch, (_, low, _) in spans.items()]
        highest = [(epoch, high) for epoch, (_, _, high) in spans.items()]
        plot.line(kind, [*lowest, *reversed(highest)], shape="polygon")
    for kind, spans in lines:
        means = [(epoch, mean) for epoch, (mean, _, _) in spans.items()]
        plot.line(kind, means)
        points = [
            (*means[at], tip(f"epoch {means[at][0]}: {label(means[at][1], percent=percent)}"))
            for at in _thinned(len(means), MOST_TIPS)
        ]
        plot.points("circle" if len(means) == 1 else "unseen", kind, points)
    return plot
