"""The objective in the order of the search, and how much each axis mattered."""

import itertools

from experiments.reports.axes import Ends, categories, linear
from experiments.reports.plot import Figure, Plot, tip
from experiments.reports.shown import Shown

WIDTH = 0.35  # of a bar, to each side


def figure(shown: Shown) -> Figure:
    """The trials with the best one so far, and the importances if there are any."""
    study, last = shown.study, shown.study.trials[-1].trial
    title = f"{shown.objective} in the order of the search"
    plots = [Plot(title, linear([0, last], "trial"), shown.axis)]
    shown.draw_trials(plots[0], lambda trial: trial.trial)
    so_far = itertools.accumulate(map(study.value, study.complete), max if study.maximize else min)
    steps: list[Ends] = []
    for trial, best in zip(study.complete, map(shown.height, so_far), strict=True):
        if not steps or steps[-1][1] != best:
            steps += [(trial.trial, before) for _, before in steps[-1:]] + [(trial.trial, best)]
    plots[0].line("best", [*steps, (last, steps[-1][1])])
    if any(study.importances.values()):
        names = list(study.experiment.searched)
        shares = [study.importances.get(name, 0.0) for name in names]
        title = "how much each of them mattered in the search (an estimate)"
        x, y = linear(shares, percent=True, zero=True), categories(names, downwards=True)
        plots.append(Plot(title, x, y))
        for row, (name, share) in enumerate(zip(names, shares, strict=True)):
            ends = row - WIDTH, row + WIDTH
            plots[1].box("column trial", (0, share), ends, tip(f"{name}: {share:.2%}"))
    legend = [("circle", "trial", "a trial"), ("lozenge", "baseline", "a trial without penalties")]
    return Figure(plots, [*legend, ("line", "best", "best so far")])
