"""The panels: what all figures are made of. They hold no numbers, colours or sizes: they name
columns of the block ("@trials.trial", "@trials.trial:best" for some of its rows, "@@..." for the
first of them) and colours of the page ("--trial").
"""

import math
from dataclasses import dataclass, field
from typing import Any

from experiments.records import StudyRecord

OFF_AT = 0.9  # decades below `low` where off is drawn
OBJECTIVE_TITLES = {
    "val_accuracy": "validation accuracy",
    "balanced_val_accuracy": "balanced validation accuracy",
    "val_data_loss": "validation data loss",
}

Trace = dict[str, Any]
Axis = dict[str, Any]


@dataclass(frozen=True)
class Panel:
    """One drawing: its title, plotly's traces and layout, and its height in pixels. A `wide` one
    fills its row.
    """

    title: str
    data: list[Trace]
    layout: dict[str, Any]
    height: int = 300
    wide: bool = False


@dataclass(frozen=True)
class Figure:
    """Panels that belong together; `legend` is what their marks mean: a shape, a colour, words."""

    name: str
    panels: list[Panel]
    legend: list[tuple[str, str, str]] = field(default_factory=list)


def axes(study: StudyRecord) -> dict[str, dict[str, float]]:
    """The log axes of the searched lambdas, in decades, with the place of off."""
    ends = {
        name: (math.log10(axis.low), math.log10(axis.high))
        for name, axis in study.experiment.lambdas.searched.items()
    }
    return {
        name: {"low": low, "high": high, "off": low - OFF_AT} for name, (low, high) in ends.items()
    }


def marks(table: str, rows: str, x: str, y: str, marker: Trace) -> Trace:
    """Some rows of a table as points."""
    return {
        "type": "scatter", "mode": "markers", "x": f"@{table}.{x}:{rows}", "y": f"@{table}.{y}:{rows}",
        "hovertext": f"@{table}.words:{rows}", "hoverinfo": "text", "marker": marker,
    }  # fmt: skip


def line(colour: str, width: float, dash: str = "solid") -> dict[str, Any]:
    """How a line is drawn."""
    return {"color": colour, "width": width, "dash": dash}


def off_band(study: StudyRecord, name: str, axis: str) -> dict[str, Any]:
    """The place of off on the axis "x" or "y", as a band."""
    off, other = axes(study)[name]["off"], "y" if axis == "x" else "x"
    band = {
        "type": "rect",
        "layer": "below",
        "fillcolor": "--band",
        "line": {"width": 0},
        f"{other}ref": "paper",
    }
    return band | {f"{axis}0": off - 0.5, f"{axis}1": off + 0.5, f"{other}0": 0, f"{other}1": 1}


def lambda_axis(study: StudyRecord, name: str) -> Axis:
    """A log axis in decades, with off as a place of its own below `low`."""
    low, high, off = axes(study)[name].values()
    decades = range(math.ceil(low - 1e-9), math.floor(high + 1e-9) + 1)
    ticks: dict[float, str] = {
        decade: f"1e{decade}" for decade in decades[:: max(1, len(decades) // 6)]
    }
    if len(ticks) < 2:
        ticks = {end: f"{10**end:.2g}" for end in (low, high)}
    names = {off: "off"} | ticks
    return {
        "title": name,
        "tickvals": list(names),
        "ticktext": list(names.values()),
        "range": [off - 0.6, high + 0.25],
    }


def value_axis(name: str) -> Axis:
    """The axis of a metric: accuracies in percent."""
    possible = {"clipmin": -0.02, "clipmax": 1.02}  # with room for a mark at the end
    return {"tickformat": "~%", "autorangeoptions": possible} if name.endswith("accuracy") else {}
