"""The objective in the order of the search, and how much each axis mattered."""

import itertools

from experiments.measures import percent
from experiments.reports.axes import Ends, categories, label, linear
from experiments.reports.figures import strengths
from experiments.reports.plot import Figure, Plot, tip
from experiments.reports.shown import Shown, of

WIDTH = 0.25  # of a bar, to each side


def figure(shown: Shown) -> Figure:
    """The trials with the best one so far, and the importances if there are any."""
    study, last = shown.study, shown.study.trials[-1].trial
    title = f"{shown.objective} in the order of the search"
    better = max if study.maximize else min
    so_far = list(itertools.accumulate(map(study.value, study.complete), better))
    first, best = study.complete[0], shown.ranked[0]
    says = (
        f"Best so far: {shown.value(so_far[0])} at trial {first.trial},"
        f" {shown.value(so_far[-1])} from trial {best.trial} on"
    )
    plots = [Plot(title, linear([0, last], "trial"), shown.axis, says)]
    for trial in shown.pruned:
        plots[0].point("cross", "pruned", trial.trial, shown.height(study.value(trial)), of(trial))
    shown.draw_trials(plots[0], lambda trial: trial.trial)
    steps: list[Ends] = []
    for trial, height in zip(study.complete, map(shown.height, so_far), strict=True):
        if not steps or steps[-1][1] != height:
            steps += [(trial.trial, before) for _, before in steps[-1:]] + [(trial.trial, height)]
    plots[0].line("trial", [*steps, (last, steps[-1][1])])
    if any(study.importances.values()):
        names = list(study.experiment.searched)
        shares = [study.importances.get(name, 0.0) for name in names]
        title = "how much each of them mattered in the search (an estimate)"
        x = linear(shares, percent=True, zero=True, steps=5)
        y = categories(list(map(label, names)), downwards=True)
        values = [f"{name}: {percent(share)}" for name, share in zip(names, shares, strict=True)]
        plots.append(Plot(title, x, y, ", ".join(values)))
        for row, (share, words) in enumerate(zip(shares, values, strict=True)):
            plots[1].box("column trial", (0, share), (row - WIDTH, row + WIDTH), tip(words))
    legend = strengths.of_trials(shown)
    legend += [("cross", "pruned", "pruned")] * bool(shown.pruned)
    return Figure(plots, [*legend, ("line", "trial", "best so far")])
