"""The objective as colour, over the two lambdas that matter most."""

from experiments.reports.axes import searched_axis
from experiments.reports.plot import Figure, Plot
from experiments.reports.shown import Shown, of, tip_of


def figure(shown: Shown) -> Figure:
    """A mark for each trial; the darker it is, the better."""
    study, searched = shown.study, shown.study.experiment.lambdas.searched
    if len(searched) < 2:
        return Figure([])
    names = sorted(searched, key=lambda name: -study.importances.get(name, 0.0))[:2]
    x, y = (searched_axis(name, searched[name]) for name in names)
    which = "the two lambdas that matter most" if study.importances else "two lambdas"
    plot = Plot(f"{shown.objective} (colour) over {which}", x, y, height=420, wide=True)
    heights = [shown.height(study.value(trial)) for trial in shown.ranked]
    best, worst = heights[0], heights[-1]
    for trial, height in reversed(list(zip(shown.ranked, heights, strict=True))):
        good = max((height - worst) / (best - worst or 1.0), 0.0)
        at = x.place(trial.setting, trial.trial), y.place(trial.setting, trial.trial)
        plot.point("disc", "scaled", *at, f'{of(trial)} style="--good:{good:.0%}"')
    for setting in shown.settings[-1:]:
        at = x.place(setting.setting), y.place(setting.setting)
        plot.point("star", "best", *at, tip_of(setting))
    return Figure([plot], [("scale", "", f"{shown.objective}, {worst:.4f} to {best:.4f}")])
