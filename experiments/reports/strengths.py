"""The strengths: figures of the objective against the lambdas."""

from collections.abc import Mapping

from experiments.records import StudyRecord
from experiments.reports.block import ALL_SHOWN, BEST_SHOWN, Table, limit
from experiments.reports.panels import (
    OBJECTIVE_TITLES,
    Figure,
    Panel,
    Trace,
    axes,
    lambda_axis,
    line,
    marks,
    off_band,
    value_axis,
)

COLOUR_BAR = {
    "orientation": "h",
    "y": 1.02,
    "yanchor": "bottom",
    "thickness": 10,
    "outlinewidth": 0,
}


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
    legend.append(
        ("star", "--best", "best of the search")
        if not confirmed
        else ("ring", "--best", "best of the search")
    )
    if confirmed:
        legend += [("circle", "--tied", "as good as the best, as far as seeds can tell")]
        legend += [
            ("square", "--fresh", "mean over fresh seeds"),
            ("star", "--best", "recommended, mean over fresh seeds"),
        ]
    if tables["trials"]["rows"]["beyond"]:
        legend.append(("triangle", "--trial", "worse than the figure has room for"))
    return Figure("lambdas", panels, legend)


def lambda_panel(study: StudyRecord, name: str, *, confirmed: bool = False) -> Panel:
    """The objective against one lambda, on a log axis with a place for off."""
    place = f"place_{name}"
    data = [
        marks("trials", role, place, study.objective, marker)
        for role, marker in _roles(confirmed=confirmed).items()
    ]
    beyond = {
        "symbol": "triangle-down" if study.maximize else "triangle-up",
        "color": "--trial",
        "size": 7,
        "opacity": 0.6,
    }
    data.append(marks("trials", "beyond", place, "limit", beyond))
    if confirmed:
        data += _confirmed(place, "mean")
        data.append(marks("settings", "beyond", place, "limit", beyond | {"color": "--fresh"}))
    baseline = {
        "type": "line",
        "xref": "paper",
        "x0": 0,
        "x1": 1,
        "layer": "below",
        "line": line("--baseline", 1, "dot"),
    }
    baseline |= dict.fromkeys(("y0", "y1"), f"@@trials.{study.objective}:baseline")
    shapes = [off_band(study, name, "x"), *([baseline] if study.baseline else [])]
    layout = {
        "xaxis": lambda_axis(study, name),
        "yaxis": value_axis(study.objective),
        "shapes": shapes,
    }
    return Panel(f"{OBJECTIVE_TITLES[study.objective]} against {name}", data, layout)


def _roles(*, confirmed: bool) -> dict[str, Trace]:
    """The marks of the trials, the last on top."""
    best = {
        "symbol": "star",
        "color": "--best",
        "size": 15,
        "line": {"width": 1, "color": "--paper"},
    }
    if confirmed:  # the star is then the recommended setting's
        best = {
            "symbol": "circle-open",
            "color": "--best",
            "size": 12,
            "line": {"width": 2.5, "color": "--best"},
        }
    trial = {"color": "--trial", "size": 6, "opacity": 0.55}
    tied = {"color": "--tied", "size": 7, "opacity": 0.75} if confirmed else trial
    baseline = {
        "symbol": "diamond",
        "color": "--baseline",
        "size": 12,
        "line": {"width": 1, "color": "--paper"},
    }
    return {"other": trial, "tied": tied, "baseline": baseline, "best": best}


def _confirmed(x: str, y: str) -> list[Trace]:
    edge = {"width": 1, "color": "--paper"}
    return [
        marks(
            "settings",
            "other",
            x,
            y,
            {"symbol": "square", "color": "--fresh", "size": 9, "line": edge},
        ),
        marks(
            "settings",
            "recommended",
            x,
            y,
            {"symbol": "star", "color": "--best", "size": 16, "line": edge},
        ),
    ]


def _plane(study: StudyRecord, first: str, second: str, *, confirmed: bool) -> Panel:
    """The objective as colour, over two lambdas."""
    scale = [[0, "--scale-low"], [1, "--scale-high"]]
    edge, objective = limit(study), study.objective
    if edge is not None and len(study.complete) > ALL_SHOWN:
        edge = float(
            f"{study.value(study.ranked[BEST_SHOWN - 1]):.6g}"
        )  # colours for those that are shown
    ends = ("cmin", "cmax") if study.maximize else ("cmax", "cmin")
    marker = {
        "size": 9, "color": f"@trials.{objective}:complete", "line": {"width": 0.7, "color": "--soft"},
        "colorscale": scale if study.maximize else [[0, "--scale-high"], [1, "--scale-low"]],
        "colorbar": COLOUR_BAR | {"tickformat": value_axis(objective).get("tickformat", "")},
    }  # fmt: skip
    if edge is not None:
        marker |= {ends[0]: edge, ends[1]: f"@@trials.{objective}:best"}
    data = [marks("trials", "complete", f"place_{first}", f"place_{second}", marker)]
    if confirmed:
        data += _confirmed(f"place_{first}", f"place_{second}")[1:]
    else:
        data.append(
            marks(
                "trials",
                "best",
                f"place_{first}",
                f"place_{second}",
                _roles(confirmed=False)["best"],
            )
        )
    shapes = [off_band(study, first, "x"), off_band(study, second, "y")]
    layout = {
        "xaxis": lambda_axis(study, first),
        "yaxis": lambda_axis(study, second),
        "shapes": shapes,
    }
    matter = "the two that matter most" if study.importances else "two of them"
    return Panel(
        f"{OBJECTIVE_TITLES[objective]} (colour) over {matter}", data, layout, height=420, wide=True
    )


def _rest(study: StudyRecord) -> Panel:
    bars = {"type": "bar", "x": "@rest.value", "y": "@rest.trials", "marker": {"color": "--trial"}}
    layout = {
        "xaxis": value_axis(study.objective) | {"title": OBJECTIVE_TITLES[study.objective]},
        "yaxis": {"title": "trials"},
        "bargap": 0.05,
    }
    return Panel("all other trials", [bars], layout, height=260, wide=True)
