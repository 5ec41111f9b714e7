"""The figures: a study as plotly panels."""

from collections.abc import Mapping
from typing import Any

from experiments.card import MEASURES
from experiments.records import StudyRecord
from experiments.reports import strengths
from experiments.reports.block import Table
from experiments.reports.panels import (
    OBJECTIVE_TITLES,
    Figure,
    Panel,
    Trace,
    line,
    marks,
    value_axis,
)
from nnreg import LAMBDA_NAMES

CURVE_TITLES = {
    "data_loss": "data loss",
    "regularization_loss": "regularization loss",
    "val_accuracy": "validation accuracy",
}
CURVE_WORDS = {
    "curves_baseline": "no regularization",
    "curves_recommended": "recommended",
    "curves_best": "best of the search",
}
COLOURS = dict(zip(LAMBDA_NAMES, ("--trial", "--best", "--tied", "--fresh"), strict=True))


def figures(study: StudyRecord, tables: Mapping[str, Table]) -> dict[str, Figure]:
    """All figures of which there is something to draw, by name."""
    made = (
        strengths.lambdas(study, tables),
        curves(tables),
        costs(study, tables),
        layers(tables),
        search(study, tables),
    )
    return {figure.name: figure for figure in made if figure and figure.panels}


def curves(tables: Mapping[str, Table]) -> Figure:
    """The learning curves of the recommended setting (else of the best trial) and the baseline,
    with bands over seeds.
    """
    found = {
        name: tables[name]["columns"]
        for name in CURVE_WORDS
        if name in tables and tables[name]["columns"]["epoch"]
    }
    panels = []
    for metric, title in CURVE_TITLES.items():
        if any(
            any(columns[metric]) for columns in found.values()
        ):  # without a penalty there is nothing but zeros
            data = [
                trace for name, columns in found.items() for trace in _curve(name, metric, columns)
            ]
            panels.append(
                Panel(
                    title,
                    data,
                    {"xaxis": {"title": "epoch"}, "yaxis": value_axis(metric)},
                    height=280,
                )
            )
    return Figure(
        "curves", panels, [("line", _curve_colour(name), CURVE_WORDS[name]) for name in found]
    )


def _curve_colour(name: str) -> str:
    return "--baseline" if name == "curves_baseline" else "--best"


def _curve(name: str, metric: str, columns: Mapping[str, Any]) -> list[Trace]:
    colour, mode = _curve_colour(name), "lines" if len(columns["epoch"]) > 1 else "markers"
    common = {"type": "scatter", "x": f"@{name}.epoch"}
    mean = common | {
        "y": f"@{name}.{metric}",
        "mode": mode,
        "line": line(colour, 2),
        "marker": {"color": colour},
    }
    mean["hovertemplate"] = "epoch %{x}: %{y:.4~g}<extra></extra>"
    if f"{metric}_low" not in columns:
        return [mean]
    edge = common | {"mode": "lines", "line": {"width": 0}, "hoverinfo": "skip"}
    high = {"y": f"@{name}.{metric}_high", "fill": "tonexty", "fillcolor": f"{colour}-band"}
    return [edge | {"y": f"@{name}.{metric}_low"}, edge | high, mean]


def costs(study: StudyRecord, tables: Mapping[str, Table]) -> Figure | None:
    """What is lost where a lambda is switched off, with intervals, and the band within which a
    difference does not matter.
    """
    verdict = study.verdict
    if verdict is None or not tables["costs"]["columns"]["label"]:
        return None
    measure, rows = MEASURES[verdict.objective], len(tables["costs"]["columns"]["label"])
    unit = f"{measure.unit.strip()} of " if measure.unit else ""
    name = OBJECTIVE_TITLES[verdict.objective]
    traces = [_interval("low", "high", thickness=1.5, width=5)]
    if verdict.comparisons:
        traces.append(_interval("narrow_low", "narrow_high", thickness=5, width=0))
    margin = verdict.margin * measure.scale
    band = {
        "type": "rect",
        "layer": "below",
        "fillcolor": "--band",
        "line": {"width": 0},
        "x0": -margin,
        "x1": margin,
    }
    zero = {"type": "line", "x0": 0, "x1": 0, "line": line("--soft", 1)}
    shapes = [
        shape | {"yref": "paper", "y0": 0, "y1": 1}
        for shape in ([band, zero] if verdict.comparisons else [zero])
    ]
    layout = {"yaxis": {"autorange": "reversed", "type": "category"}, "shapes": shapes}
    title = f"behind the winner, in {unit}{name}"
    if verdict.comparisons:
        title = f"lost when switched off, in {unit}{name.replace('validation', 'test')}"
    legend = [("line", "--best", "one standard error")]
    if verdict.comparisons:
        legend = [
            ("line", "--best", "the interval that the claim is tested at"),
            ("thick", "--best", "the 90 % interval"),
        ]
        legend.append(("block", "--band-shown", "so little is no difference that matters"))
    return Figure("costs", [Panel(title, traces, layout, height=80 + 36 * rows, wide=True)], legend)


def _interval(low: str, high: str, **look: float) -> Trace:
    ends = {
        "type": "data",
        "symmetric": False,
        "arrayminus": f"@costs.to_{low}",
        "array": f"@costs.to_{high}",
    }
    return {
        "type": "scatter", "mode": "markers", "x": "@costs.lost", "y": "@costs.label", "hoverinfo": "x",
        "error_x": ends | {"color": "--best"} | look,
        "marker": {"size": 10, "color": "--best", "line": {"width": 1, "color": "--paper"}},
    }  # fmt: skip


def layers(tables: Mapping[str, Table]) -> Figure | None:
    """Each penalty's share of the loss by layer, and the share of weights near zero."""
    if "layers" not in tables:
        return None
    columns = tables["layers"]["columns"]
    on = [name for name in LAMBDA_NAMES if any(columns[name])]
    axis: dict[str, Any] = {
        "yaxis": {"tickformat": "~%", "rangemode": "tozero"},
        "xaxis": {"type": "category"},
    }
    shares = [
        {
            "type": "bar",
            "x": "@layers.layer",
            "y": f"@layers.{name}",
            "name": name,
            "marker": {"color": COLOURS[name]},
        }
        | {"hovertemplate": f"{name}: %{{y:.3~%}}<extra></extra>"}
        for name in on
    ]
    near_zero = {
        "type": "bar",
        "x": "@layers.layer",
        "y": "@layers.near_zero_weights",
        "marker": {"color": "--baseline"},
    }
    near_zero["hovertemplate"] = "%{y:.3~%}<extra></extra>"
    panels = (
        [Panel("each penalty's share of the total loss", shares, {**axis, "barmode": "stack"})]
        if on
        else []
    )
    if any(columns["near_zero_weights"]):
        panels.append(Panel("share of weights near zero", [near_zero], axis))
    return Figure("layers", panels, [("block", COLOURS[name], name) for name in on])


def search(study: StudyRecord, tables: Mapping[str, Table]) -> Figure | None:
    """The objective in the order of the search with the best so far, and how much each lambda
    mattered.
    """
    if not study.complete:
        return None
    objective = study.objective
    points = {"color": "--trial", "size": 6, "opacity": 0.55}
    symbol = "triangle-down" if study.maximize else "triangle-up"
    data = [
        marks("trials", role, "trial", objective, points)
        for role in ("other", "tied", "baseline", "best")
    ]
    data.append(marks("trials", "beyond", "trial", "limit", points | {"symbol": symbol}))
    data.append(
        {
            "type": "scatter",
            "mode": "lines",
            "x": "@trials.trial:complete",
            "y": "@trials.best_so_far:complete",
        }
        | {"line": line("--best", 2) | {"shape": "hv"}, "hoverinfo": "skip"}
    )
    layout = {"xaxis": {"title": "trial"}, "yaxis": value_axis(objective)}
    panels = [Panel(f"{OBJECTIVE_TITLES[objective]} in the order of the search", data, layout)]
    if any(tables["lambdas"]["columns"]["importance"]):
        bars: Trace = {
            "type": "bar",
            "orientation": "h",
            "x": "@lambdas.importance:searched",
            "y": "@lambdas.lambda:searched",
        }
        bars |= {"marker": {"color": "--trial"}, "hovertemplate": "%{x:.2~%}<extra></extra>"}
        upside = {"autorange": "reversed", "type": "category"}
        shares = {"tickformat": "~%", "rangemode": "tozero"}
        title = "how much each lambda mattered in the search (an estimate)"
        panels.append(Panel(title, [bars], {"xaxis": shares, "yaxis": upside}))
    return Figure(
        "search", panels, [("circle", "--trial", "a trial"), ("line", "--best", "best so far")]
    )
