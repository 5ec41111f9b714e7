"""Parallel coordinates: a line for each trial over upright axes, on which page.js selects."""

import math

from experiments.reports.axes import Axis, categories, label, searched_axis
from experiments.reports.plot import Figure, Plot
from experiments.reports.shown import Shown, of, setting_of

MOST_IN_A_ROW = 9  # axes whose names have room beside each other


def figure(shown: Shown) -> Figure:
    """Everything at once; better trials have darker lines, drawn above the others."""
    study, trials = shown.study, shown.ranked[::-1]
    axes: dict[str, tuple[Axis, list[float]]] = {}
    for name, searched in study.experiment.searched.items():
        axis = searched_axis(name, searched)
        axes[name] = axis, [axis.place(trial.setting, trial.trial) for trial in trials]
    heights = [shown.height(study.value(trial)) for trial in trials]
    axes[study.objective] = shown.axis, heights
    for name in ("data_loss", "regularization_loss"):
        values = [getattr(trial.metrics, name) for trial in trials]
        if None not in values:
            axes[name] = _log(values)
    title, rows = "parallel coordinates of the trials", 1 if len(axes) <= MOST_IN_A_ROW else 2
    names = categories(list(map(label, axes)), rows=rows)
    best = shown.ranked[0]
    says = f"The best, trial {best.trial}: {setting_of(best)}, {shown.value(study.value(best))}"
    plot = Plot(title, names, Axis(0, 100, {}), says, height=360, wide=True)
    ranks = {height: rank for rank, height in enumerate(dict.fromkeys(heights))}
    opacity = min(0.75, 120 / len(trials))  # many lines must not become one patch
    lines = []
    for row, trial in enumerate(trials):
        good = ranks[heights[row]] / max(1, len(ranks) - 1)
        look = f'stroke-opacity="{opacity:.2g}" style="--good:{good:.0%}"'
        up = [axis.at(places[row]) for axis, places in axes.values()]
        lines.append((f'class="scaled" {of(trial)} {look}', enumerate(up)))
    plot.lines(lines)
    for at, (scale, _) in enumerate(axes.values()):
        x = f'x="{plot.x.at(at):g}%"'
        for value, words in scale.ticks.items():
            y = f'y="{100 - scale.at(value):g}%"'
            plot.drawn.append(f'<text class="side" {x} {y} dx="-6" dy="4">{words}</text>')
        plot.drawn.append(f'<rect class="brush" {x}/><rect class="area" {x}/>')
    return Figure([plot])


def _log(values: list[float]) -> tuple[Axis, list[float]]:
    """A log axis and the places of values on it; zeros are half a decade below all others."""
    places = [math.log10(value) if value > 0 else -math.inf for value in values]
    known = [place for place in places if place > -math.inf] or [0.0]
    low, high = min(known), max(known)
    ticks = {place: f"{10**place:.2g}" for place in (low, (low + high) / 2, high)}
    if 0 in values:
        ticks[low - 0.5] = "0"
    return Axis(min(ticks) - 0.05, high + 0.05, ticks), [max(place, low - 0.5) for place in places]
