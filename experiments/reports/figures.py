"""The figures: a study as plotly panels that hold no numbers, colours or sizes: they name columns of the block ("@trials.trial",
"@trials.trial:best" for some of its rows, "@@..." for the first of them) and colours of the page ("--trial").
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from experiments.records import StudyRecord
from experiments.reports.block import Table, limit
from experiments.reports.card import MEASURES
from nnreg import LAMBDA_NAMES

OFF_AT, OFF_WIDTH = 0.9, 0.35  # decades below `low` where off is drawn, and how far its points are spread to be told apart
OBJECTIVE_TITLES = {
    "val_accuracy": "validation accuracy",
    "balanced_val_accuracy": "balanced validation accuracy",
    "val_data_loss": "validation data loss",
}
CURVE_TITLES = {"data_loss": "data loss", "regularization_loss": "regularization loss", "val_accuracy": "validation accuracy"}
COLOURS = dict(zip(LAMBDA_NAMES, ("--trial", "--best", "--tied", "--fresh"), strict=True))

Trace = dict[str, Any]
Axis = dict[str, Any]


@dataclass(frozen=True)
class Panel:
    """One drawing: its title, plotly's traces and layout, and its height in pixels. A `wide` one fills its row."""

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
    """The axes of the searched lambdas."""
    found = study.spec["lambdas"]
    return {
        name: {"low": found[name]["low"], "high": found[name]["high"]}
        for name in LAMBDA_NAMES
        if isinstance(found[name], Mapping)
    }


def figures(study: StudyRecord, tables: Mapping[str, Table]) -> dict[str, Figure]:
    """All figures of which there is something to draw, by name."""
    made = (lambdas(study, tables), curves(tables), costs(study, tables), layers(tables), search(study, tables))
    return {figure.name: figure for figure in made if figure and figure.panels}


def lambdas(study: StudyRecord, tables: Mapping[str, Table]) -> Figure | None:
    """The objective against each searched lambda, and against the two that matter most at once."""
    searched = list(axes(study))
    if not searched or not study.complete:
        return None
    confirmed = "settings" in tables
    panels = [lambda_panel(study, name, confirmed=confirmed) for name in searched]
    if len(searched) > 1:
        by_importance = sorted(searched, key=lambda name: -study.importances.get(name, 0.0))
        panels.append(_plane(study, by_importance[0], by_importance[1], confirmed=confirmed))
    if "rest" in tables:
        panels.append(_rest(study))
    legend = [("circle", "--trial", "a trial"), ("diamond", "--baseline", "all off (baseline)")]
    legend.append(("star", "--best", "best of the search") if not confirmed else ("ring", "--best", "best of the search"))
    if confirmed:
        legend += [("circle", "--tied", "as good as the best, as far as seeds can tell")]
        legend += [("square", "--fresh", "mean over fresh seeds"), ("star", "--best", "recommended, mean over fresh seeds")]
    if tables["trials"]["rows"]["beyond"]:
        legend.append(("triangle", "--trial", "worse than the figure has room for"))
    return Figure("lambdas", panels, legend)


def lambda_panel(study: StudyRecord, name: str, *, table: str = "trials", confirmed: bool = False) -> Panel:
    """The objective against one lambda, on a log axis with a place for off; `table` is the table of the trials."""
    place, edge = f"place_{name}", limit(study)
    data = [_marks(table, role, place, study.objective, marker) for role, marker in _roles(confirmed=confirmed).items()]
    beyond = {"symbol": "triangle-down" if study.maximize else "triangle-up", "color": "--trial", "size": 7, "opacity": 0.6}
    data.append(_marks(table, "beyond", place, study.objective, beyond) | {"y": None, "y0": edge, "dy": 0})
    if confirmed:
        data += _confirmed(place, "mean")
        data.append(_marks("settings", "beyond", place, "mean", beyond | {"color": "--fresh"}) | {"y": None, "y0": edge, "dy": 0})
    baseline = {"type": "line", "xref": "paper", "x0": 0, "x1": 1, "layer": "below", "line": _line("--baseline", 1, "dot")}
    baseline |= dict.fromkeys(("y0", "y1"), f"@@{table}.{study.objective}:baseline")
    shapes = [_off_band(study, name, "x"), *([baseline] if study.baseline else [])]
    layout = {"xaxis": _lambda_axis(study, name), "yaxis": _value_axis(study.objective), "shapes": shapes}
    return Panel(f"{OBJECTIVE_TITLES[study.objective]} against {name}", data, layout)


def _roles(*, confirmed: bool) -> dict[str, Trace]:
    """The marks of the trials, the last on top."""
    best = {"symbol": "star", "color": "--best", "size": 15, "line": {"width": 1, "color": "--paper"}}
    if confirmed:  # the star is then the recommended setting's
        best = {"symbol": "circle-open", "color": "--best", "size": 12, "line": {"width": 2.5, "color": "--best"}}
    tied = {"tied": {"color": "--tied", "size": 7, "opacity": 0.75}} if confirmed else {}
    baseline = {"symbol": "diamond", "color": "--baseline", "size": 12, "line": {"width": 1, "color": "--paper"}}
    return {"other": {"color": "--trial", "size": 6, "opacity": 0.55}} | tied | {"baseline": baseline, "best": best}


def _confirmed(x: str, y: str) -> list[Trace]:
    edge = {"width": 1, "color": "--paper"}
    return [
        _marks("settings", "other", x, y, {"symbol": "square", "color": "--fresh", "size": 9, "line": edge}),
        _marks("settings", "recommended", x, y, {"symbol": "star", "color": "--best", "size": 16, "line": edge}),
    ]


def _marks(table: str, rows: str, x: str, y: str, marker: Trace) -> Trace:
    return {
        "type": "scatter", "mode": "markers", "x": f"@{table}.{x}:{rows}", "y": f"@{table}.{y}:{rows}",
        "hovertext": f"@{table}.words:{rows}", "hoverinfo": "text", "marker": marker,
    }  # fmt: skip


def _line(colour: str, width: float, dash: str = "solid") -> dict[str, Any]:
    return {"color": colour, "width": width, "dash": dash}


def _off_band(study: StudyRecord, name: str, axis: str) -> dict[str, Any]:
    off, other = math.log10(axes(study)[name]["low"]) - OFF_AT, "y" if axis == "x" else "x"
    band = {"type": "rect", "layer": "below", "fillcolor": "--band", "line": {"width": 0}, f"{other}ref": "paper"}
    return band | {f"{axis}0": off - 0.5, f"{axis}1": off + 0.5, f"{other}0": 0, f"{other}1": 1}


def _lambda_axis(study: StudyRecord, name: str) -> Axis:
    """A log axis in decades, with off as a place of its own below `low`."""
    axis = axes(study)[name]
    low, high = math.log10(axis["low"]), math.log10(axis["high"])
    decades = range(math.ceil(low - 1e-9), math.floor(high + 1e-9) + 1)
    ticks = decades[:: max(1, len(decades) // 6)]
    return {
        "title": name,
        "tickvals": [low - OFF_AT, *ticks],
        "ticktext": ["off", *(f"1e{decade}" for decade in ticks)],
        "range": [low - OFF_AT - 0.6, high + 0.25],
    }


def _value_axis(name: str) -> Axis:
    return {"tickformat": "~%"} if name.endswith("accuracy") else {}


def _plane(study: StudyRecord, first: str, second: str, *, confirmed: bool) -> Panel:
    """The objective as colour, over two lambdas."""
    scale = [[0, "--scale-low"], [1, "--scale-high"]]
    edge, objective = limit(study), study.objective
    ends = ("cmin", "cmax") if study.maximize else ("cmax", "cmin")
    marker = {
        "size": 9, "color": f"@trials.{objective}:complete", "line": {"width": 0.7, "color": "--soft"},
        "colorscale": scale if study.maximize else [[0, "--scale-high"], [1, "--scale-low"]],
        "colorbar": {"thickness": 12, "outlinewidth": 0, **_value_axis(objective)},
    }  # fmt: skip
    if edge is not None:
        marker |= {ends[0]: edge, ends[1]: f"@@trials.{objective}:best"}
    data = [_marks("trials", "complete", f"place_{first}", f"place_{second}", marker)]
    if confirmed:
        data += _confirmed(f"place_{first}", f"place_{second}")[1:]
    else:
        data.append(_marks("trials", "best", f"place_{first}", f"place_{second}", _roles(confirmed=False)["best"]))
    shapes = [_off_band(study, first, "x"), _off_band(study, second, "y")]
    layout = {"xaxis": _lambda_axis(study, first), "yaxis": _lambda_axis(study, second), "shapes": shapes}
    matter = "the two that matter most" if study.importances else "two of them"
    return Panel(f"{OBJECTIVE_TITLES[objective]} (colour) over {matter}", data, layout, height=420, wide=True)


def _rest(study: StudyRecord) -> Panel:
    bars = {"type": "bar", "x": "@rest.value", "y": "@rest.trials", "marker": {"color": "--trial"}}
    layout = {"xaxis": {"title": OBJECTIVE_TITLES[study.objective], **_value_axis(study.objective)}, "yaxis": {"title": "trials"}}
    return Panel("all other trials", [bars], layout, height=260, wide=True)


def curves(tables: Mapping[str, Table]) -> Figure | None:
    """The learning curves of the recommended setting (else of the best trial) and the baseline, with bands over seeds."""
    found = {name: tables[name]["columns"] for name in ("curves_baseline", "curves_recommended", "curves_best") if name in tables}
    found = {name: columns for name, columns in found.items() if columns["epoch"]}
    if not found:
        return None
    same = len(found) > 1 and len({str(columns) for columns in found.values()}) == 1
    drawn = list(found)[:1] if same else list(found)
    panels = []
    for metric, title in CURVE_TITLES.items():
        if not any(any(found[name][metric]) for name in drawn):
            continue  # no penalty at all: nothing but zeros
        data = [trace for name in drawn for trace in _curve(name, metric, found[name])]
        panels.append(Panel(title, data, {"xaxis": {"title": "epoch"}, "yaxis": _value_axis(metric)}, height=280))
    words = {"curves_baseline": "no regularization", "curves_recommended": "recommended", "curves_best": "best of the search"}
    return Figure("curves", panels, [("line", _curve_colour(name), words[name]) for name in drawn])


def _curve_colour(name: str) -> str:
    return "--baseline" if name == "curves_baseline" else "--best"


def _curve(name: str, metric: str, columns: Mapping[str, Any]) -> list[Trace]:
    colour, mode = _curve_colour(name), "lines" if len(columns["epoch"]) > 1 else "markers"
    common = {"type": "scatter", "x": f"@{name}.epoch"}
    mean = common | {"y": f"@{name}.{metric}", "mode": mode, "line": _line(colour, 2), "marker": {"color": colour}}
    mean["hovertemplate"] = "epoch %{x}: %{y:.4~g}<extra></extra>"
    if f"{metric}_low" not in columns:
        return [mean]
    edge = common | {"mode": "lines", "line": {"width": 0}, "hoverinfo": "skip"}
    high = {"y": f"@{name}.{metric}_high", "fill": "tonexty", "fillcolor": f"{colour}-band"}
    return [edge | {"y": f"@{name}.{metric}_low"}, edge | high, mean]


def costs(study: StudyRecord, tables: Mapping[str, Table]) -> Figure | None:
    """What is lost where a lambda is switched off, with intervals, and the band within which a difference does not matter."""
    verdict = study.verdict
    if verdict is None or not tables["costs"]["columns"]["label"]:
        return None
    measure, rows = MEASURES[verdict.objective], len(tables["costs"]["columns"]["label"])
    name = OBJECTIVE_TITLES[verdict.objective]
    title = f"{name.replace('validation', 'test') if verdict.comparisons else name}{',' if measure.unit else ''}{measure.unit}"
    interval = {"type": "data", "array": "@costs.up", "arrayminus": "@costs.down", "symmetric": False, "color": "--best"}
    trace = {
        "type": "scatter", "mode": "markers", "x": "@costs.lost", "y": "@costs.label", "error_x": interval | {"thickness": 2},
        "marker": {"size": 10, "color": "--best"}, "hoverinfo": "x",
    }  # fmt: skip
    margin = verdict.margin * measure.scale
    band = {"type": "rect", "layer": "below", "fillcolor": "--band", "line": {"width": 0}, "x0": -margin, "x1": margin}
    zero = {"type": "line", "x0": 0, "x1": 0, "line": _line("--soft", 1)}
    shapes = [shape | {"yref": "paper", "y0": 0, "y1": 1} for shape in (band, zero)]
    layout = {"xaxis": {"title": title}, "yaxis": {"autorange": "reversed", "type": "category"}, "shapes": shapes}
    tested = "lost when switched off, on the test rows" if verdict.comparisons else "behind the winner, on the validation rows"
    bar = "the interval of the claim" if verdict.comparisons else "one standard error"
    legend = [("line", "--best", bar), ("block", "--band-shown", "within this, no difference that matters")]
    return Figure("costs", [Panel(tested, [trace], layout, height=110 + 36 * rows, wide=True)], legend)


def layers(tables: Mapping[str, Table]) -> Figure | None:
    """Each penalty's share of the loss by layer, and the share of weights near zero."""
    if "layers" not in tables:
        return None
    columns = tables["layers"]["columns"]
    on = [name for name in LAMBDA_NAMES if any(columns[name])]
    axis = {"yaxis": {"tickformat": "~%", "rangemode": "tozero"}, "xaxis": {"type": "category"}}
    shares = [
        {"type": "bar", "x": "@layers.layer", "y": f"@layers.{name}", "name": name, "marker": {"color": COLOURS[name]}}
        | {"hovertemplate": f"{name}: %{{y:.3~%}}<extra></extra>"}
        for name in on
    ]
    near_zero = {"type": "bar", "x": "@layers.layer", "y": "@layers.near_zero_weights", "marker": {"color": "--baseline"}}
    near_zero["hovertemplate"] = "%{y:.3~%}<extra></extra>"
    panels = [Panel("each penalty's share of the total loss", shares, axis | {"barmode": "stack"})] if on else []
    if any(columns["near_zero_weights"]):
        panels.append(Panel("share of weights near zero", [near_zero], axis))
    return Figure("layers", panels, [("block", COLOURS[name], name) for name in on])


def search(study: StudyRecord, tables: Mapping[str, Table]) -> Figure | None:
    """The objective in the order of the search with the best so far, and how much each lambda mattered."""
    if not study.complete:
        return None
    objective = study.objective
    points = {"color": "--trial", "size": 6, "opacity": 0.55}
    symbol = "triangle-down" if study.maximize else "triangle-up"
    data = [_marks("trials", role, "trial", objective, points) for role in ("other", "tied", "baseline", "best")]
    data.append(_marks("trials", "beyond", "trial", objective, points | {"symbol": symbol}) | {"y": None, "y0": limit(study), "dy": 0})
    data.append(
        {"type": "scatter", "mode": "lines", "x": "@trials.trial:complete", "y": "@trials.best_so_far:complete"}
        | {"line": _line("--best", 2) | {"shape": "hv"}, "hoverinfo": "skip"}
    )
    layout = {"xaxis": {"title": "trial"}, "yaxis": _value_axis(objective)}
    panels = [Panel(f"{OBJECTIVE_TITLES[objective]} in the order of the search", data, layout)]
    if any(tables["lambdas"]["columns"]["importance"]):
        bars = {"type": "bar", "orientation": "h", "x": "@lambdas.importance:searched", "y": "@lambdas.lambda:searched"}
        bars |= {"marker": {"color": "--trial"}, "hovertemplate": "%{x:.2~%}<extra></extra>"}
        upside = {"autorange": "reversed", "type": "category"}
        layout = {"xaxis": {"tickformat": "~%", "rangemode": "tozero"}, "yaxis": upside}
        panels.append(Panel("how much of the differences each lambda explains", [bars], layout))
    return Figure("search", panels, [("circle", "--trial", "a trial"), ("line", "--best", "best so far")])
