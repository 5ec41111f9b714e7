"""The objective as colour, over the two lambdas that matter most."""

from experiments.measures import strength
from experiments.reports.axes import searched_axis
from experiments.reports.plot import Figure, Plot
from experiments.reports.shown import Shown, of


def figure(shown: Shown) -> Figure:
    """A mark for each trial; the darker it is, the better."""
    study, searched = shown.study, shown.study.experiment.lambdas.searched
    if len(searched) < 2:
        return Figure([])
    names = sorted(searched, key=lambda name: -study.importances.get(name, 0.0))[:2]
    x, y = (searched_axis(name, searched[name]) for name in names)
    which = "the two lambdas that matter most" if study.importances else "two lambdas"
    heights = [shown.height(study.value(trial)) for trial in shown.ranked]
    best, worst = heights[0], heights[-1]
    first, second = (strength(shown.ranked[0].setting.numbers[name]) for name in names)
    says = f"The best of {len(heights):,} trials has {names[0]} {first} and {names[1]} {second}"
    title = f"{shown.objective} (colour) over {which}"
    plot = Plot(title, x, y, f"{says}: {shown.value(best)}", height=420, wide=True)
    shape = "circle" if shown.is_many else "disc"
    for trial, height in reversed(list(zip(shown.ranked, heights, strict=True))):
        good = max((height - worst) / (best - worst or 1.0), 0.0)
        at = x.place(trial.setting, trial.trial), y.place(trial.setting, trial.trial)
        plot.point(shape, "scaled", *at, f'{of(trial)} style="--good:{good:.0%}"')
    legend = [("scale", "", f"{shown.objective}, {shown.value(worst)} to {shown.value(best)}")]
    if shown.choice:
        chosen = shown.settings[-1]
        at = x.place(chosen.setting), y.place(chosen.setting)
        plot.point("star", "recommended", *at, shown.tip_of(chosen))
        legend.append(("star", "recommended", shown.choice))
    return Figure([plot], legend)
