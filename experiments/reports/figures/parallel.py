"""Parallel coordinates: a line for each trial over upright axes, on which page.js selects."""

import math
from collections.abc import Iterator

from experiments.reports.axes import Axis, lambda_axis, linear
from experiments.reports.plot import Figure, stretched
from experiments.reports.shown import Shown, of

LOG_FROM = 20  # a loss whose largest value is so many times its smallest has a log axis
Places = tuple[Axis, list[float]]
"""An axis, and where each trial is on it."""


def figure(shown: Shown) -> Figure | None:
    """Everything at once; the better a trial, the darker its line and the further on top."""
    study, trials = shown.study, shown.ranked
    if not trials:
        return None
    columns: dict[str, Places] = {}
    for name, searched in study.experiment.lambdas.searched.items():
        axis = lambda_axis(name, searched)
        columns[name] = axis, [axis.place(trial.lambdas, trial.trial) for trial in trials]
    heights = [shown.height(study.value(trial)) for trial in trials]
    columns[study.objective] = shown.axis, heights
    for name in ("data_loss", "regularization_loss"):
        columns[name] = _losses([getattr(trial.metrics, name) for trial in trials])
    across = [100 * at / (len(columns) - 1) for at in range(len(columns))]
    distinct = sorted(set(heights), reverse=not study.maximize)
    ranks = {height: rank / max(1, len(distinct) - 1) for rank, height in enumerate(distinct)}
    lines = []
    for row in sorted(range(len(trials)), key=lambda row: ranks[heights[row]]):
        up = [100 - axis.at(places[row]) for axis, places in columns.values()]
        points = " ".join(f"{x:.4g},{y:.4g}" for x, y in zip(across, up, strict=True))
        good = f"--good:{100 * ranks[heights[row]]:.0f}%"
        lines.append(f'<polyline {of(trials[row])} style="{good}" points="{points}"/>')
    opacity = min(0.75, 8 / math.sqrt(len(trials)))  # many lines must not become one patch
    axes = "".join(
        part
        for x, (name, (axis, _)) in zip(across, columns.items(), strict=True)
        for part in _axis(f"{x:.4g}%", name, axis)
    )
    svg = (
        '<svg role="img" aria-label="parallel coordinates of the trials"'
        f' stroke-opacity="{opacity:.2g}">{stretched("".join(lines))}{axes}</svg>'
    )
    return Figure([svg])


def _losses(values: list[float]) -> Places:
    """On a log axis zeros have a place of their own, below all others."""
    positive = [value for value in values if value > 0]
    if not positive or max(positive) <= LOG_FROM * min(positive):
        return linear(values), values
    low, high = math.log10(min(positive)), math.log10(max(positive))
    zero = low - (high - low) / 8
    ticks = {at: f"{10**at:.2g}" for at in (low, (low + high) / 2, high)}
    if len(positive) < len(values):
        ticks[zero] = "0"
    return Axis(min(ticks), high, ticks), [math.log10(one) if one > 0 else zero for one in values]


def _axis(x: str, name: str, axis: Axis) -> Iterator[str]:
    yield f'<g class="axis"><line x1="{x}" x2="{x}" y2="100%"/><text x="{x}" dy="-16">{name}</text>'
    for value, label in axis.ticks.items():
        up = f"{100 - axis.at(value):g}%"
        yield f'<text class="side" x="{x}" y="{up}" dx="-6" dy="4">{label}</text>'
    yield f'<rect class="brush" x="{x}"/><rect class="area" x="{x}"/></g>'
