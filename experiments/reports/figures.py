"""The figures: a study as plotly figures, without colours of a theme (the page gives those)."""

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from experiments.records import StudyRecord, TrialRecord
from nnreg import LAMBDA_NAMES

if TYPE_CHECKING:
    import plotly.graph_objects as go

TRIAL, BASELINE, BEST, OFF_BAND = "#5b8def", "#8a8f98", "#e4572e", "rgba(128,128,128,0.10)"
OFF_AT, OFF_WIDTH = 0.9, 0.35  # decades below `low` where off is drawn, and how far its points are spread to be told apart
OBJECTIVE_TITLES = {
    "val_accuracy": "validation accuracy",
    "balanced_val_accuracy": "balanced validation accuracy",
    "val_data_loss": "validation data loss",
}
CURVE_TITLES = {"data_loss": "data loss", "regularization_loss": "regularization loss", "val_accuracy": "validation accuracy"}


def lambdas(study: StudyRecord) -> "go.Figure | None":
    """The objective against each searched lambda, on a log axis with a place for off. None if there is nothing to draw."""
    from plotly.subplots import make_subplots

    searched = [name for name in LAMBDA_NAMES if isinstance(study.spec["lambdas"][name], Mapping)]
    if not searched or not study.complete:
        return None
    columns = min(len(searched), 2)
    figure = make_subplots(
        rows=-(-len(searched) // columns),
        cols=columns,
        subplot_titles=searched,
        shared_yaxes=True,
        horizontal_spacing=0.05,
        vertical_spacing=0.18,
    )
    for position, name in enumerate(searched):
        add_lambda(figure, study, name, row=position // columns + 1, col=position % columns + 1)
    figure.update_yaxes(title_text=OBJECTIVE_TITLES[study.objective], col=1)
    return lay_out(figure, height=330 * -(-len(searched) // columns) + 60)


def add_lambda(figure: "go.Figure", study: StudyRecord, name: str, *, row: int, col: int) -> None:
    """Draw the objective against one lambda into a cell of a grid of figures."""
    axis = study.spec["lambdas"][name]
    low, high = math.log10(axis["low"]), math.log10(axis["high"])
    legend = row == col == 1
    special = {trial.trial for trial in (study.best, study.baseline) if trial}
    rest = [trial for trial in study.complete if trial.trial not in special]
    for role, trials, marker in (
        ("trial", rest, {"color": TRIAL, "size": 6, "opacity": 0.55}),
        ("baseline (all off)", [study.baseline], {"color": BASELINE, "size": 12, "symbol": "diamond"}),
        ("best", [study.best], {"color": BEST, "size": 15, "symbol": "star"}),
    ):
        shown = [trial for trial in trials if trial is not None]
        figure.add_scatter(
            x=[_place(trial, name, low) for trial in shown],
            **_points(study, shown, marker),
            name=role, legendgroup=role, showlegend=legend, row=row, col=col,
        )  # fmt: skip
    if study.baseline:
        figure.add_hline(study.value(study.baseline), line={"color": BASELINE, "width": 1, "dash": "dot"}, row=row, col=col)
    figure.add_vrect(low - OFF_AT - 0.5, low - OFF_AT + 0.5, fillcolor=OFF_BAND, line_width=0, layer="below", row=row, col=col)
    decades = range(math.ceil(low - 1e-9), math.floor(high + 1e-9) + 1)
    step = max(1, len(decades) // 6)
    figure.update_xaxes(
        tickvals=[low - OFF_AT, *decades[::step]],
        ticktext=["off", *(f"1e{decade}" for decade in decades[::step])],
        range=[low - OFF_AT - 0.6, high + 0.25],
        row=row, col=col,
    )  # fmt: skip


def limit(study: StudyRecord) -> float | None:
    """The worst objective that the figures have room for; worse trials are drawn on it, as triangles.

    It leaves out the worst tenth, but never the baseline: one diverged trial would otherwise squeeze all others into a line.
    """
    if study.baseline is None:
        return None
    values = sorted((study.value(trial) for trial in study.complete), reverse=study.maximize)
    worse = min if study.maximize else max
    edge = worse(values[math.ceil(len(values) * 0.9) - 1], study.value(study.baseline))
    return edge - (values[0] - edge) / 12  # a little room, so that a triangle is not taken for a trial at the edge


def beyond(study: StudyRecord) -> int:
    """How many trials are worse than the limit."""
    edge = limit(study)
    values = [study.value(trial) for trial in study.complete]
    return 0 if edge is None else sum(value < edge if study.maximize else value > edge for value in values)


def _points(study: StudyRecord, trials: Sequence[TrialRecord], marker: dict[str, Any]) -> dict[str, Any]:
    """Trials as markers at their objective, or on the limit."""
    values, edge = [study.value(trial) for trial in trials], limit(study)
    within = [value if edge is None else (max if study.maximize else min)(value, edge) for value in values]
    outside = "triangle-down" if study.maximize else "triangle-up"
    symbols = [marker.get("symbol", "circle") if at == value else outside for at, value in zip(within, values, strict=True)]
    return {
        "y": within,
        "text": [f"{_words(trial)}<br>{value:.4f}" for trial, value in zip(trials, values, strict=True)],
        "hovertemplate": "%{text}<extra></extra>",
        "mode": "markers",
        "marker": marker | {"symbol": symbols},
    }


def _place(trial: TrialRecord, name: str, low: float) -> float:
    strength = getattr(trial.lambdas, name)
    if strength > 0:
        return math.log10(strength)
    spread = (trial.trial * 0.618034) % 1 - 0.5 if trial.trial else 0  # the golden ratio: even, and the same each time
    return low - OFF_AT + spread * 2 * OFF_WIDTH


def _words(trial: TrialRecord) -> str:
    on = ", ".join(f"{name} {getattr(trial.lambdas, name):.2g}" for name in trial.lambdas.on)
    return f"trial {trial.trial}: {on or 'all off'}"


def curves(study: StudyRecord) -> "go.Figure | None":
    """Data loss, regularization loss and validation accuracy by epoch: best against baseline. None without a complete trial."""
    from plotly.subplots import make_subplots

    if study.best is None:
        return None
    figure = make_subplots(rows=1, cols=len(CURVE_TITLES), subplot_titles=list(CURVE_TITLES.values()), horizontal_spacing=0.07)
    for role, trial, style in (
        ("baseline", study.baseline, {"color": BASELINE, "width": 2}),
        ("best", study.best, {"color": BEST, "width": 2}),
    ):
        if trial is None:
            continue
        for col, name in enumerate(CURVE_TITLES, start=1):
            y = list(trial.curves[name])
            figure.add_scatter(
                x=list(range(1, len(y) + 1)), y=y, mode="lines" if len(y) > 1 else "markers", line=style,
                name=f"{role}, trial {trial.trial}", legendgroup=role, showlegend=col == 1, row=1, col=col,
            )  # fmt: skip
    figure.update_xaxes(title_text="epoch")
    return lay_out(figure, height=340)


def search(study: StudyRecord) -> "go.Figure | None":
    """The objective of each trial in the order of the search, and the best so far. None without a complete trial."""
    import plotly.graph_objects as go

    if not study.complete:
        return None
    better = max if study.maximize else min
    best_so_far: list[float] = []
    for trial in study.complete:
        value = study.value(trial)
        best_so_far.append(better(value, best_so_far[-1]) if best_so_far else value)
    numbers = [trial.trial for trial in study.complete]
    figure = go.Figure()
    figure.add_scatter(x=numbers, **_points(study, study.complete, {"color": TRIAL, "size": 6, "opacity": 0.55}), name="trial")
    figure.add_scatter(
        x=numbers, y=best_so_far, mode="lines", name="best so far", line={"color": BEST, "width": 2, "shape": "hv"}
    )
    figure.update_xaxes(title_text="trial")
    figure.update_yaxes(title_text=OBJECTIVE_TITLES[study.objective])
    return lay_out(figure, height=340)


def lay_out(figure: "go.Figure", height: int) -> "go.Figure":
    """The layout that all figures share."""
    figure.update_layout(
        template="none",
        height=height,
        margin={"l": 60, "r": 15, "t": 60, "b": 45},
        legend={"orientation": "h", "x": 0, "xanchor": "left", "y": 1, "yanchor": "top", "yref": "container"},
        paper_bgcolor="rgba(0,0,0,0)",
        plot_bgcolor="rgba(0,0,0,0)",
        hovermode="closest",
    )
    figure.update_xaxes(gridcolor="rgba(128,128,128,0.2)", zeroline=False, linecolor="rgba(128,128,128,0.5)")
    figure.update_yaxes(gridcolor="rgba(128,128,128,0.2)", zeroline=False, linecolor="rgba(128,128,128,0.5)", automargin=True)
    return figure
