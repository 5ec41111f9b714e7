"""Makes the pictures of the documentation from real sweeps: `python -m docs.pictures` (needs the browser chromium)."""

import subprocess
import tempfile
from pathlib import Path

import plotly.graph_objects as go
from plotly.offline import get_plotlyjs
from plotly.subplots import make_subplots

import sweeps
from benchmarks.command import in_child
from benchmarks.throughput import LANES, WORKERS, measure
from experiments.records import StudyRecord
from experiments.reports import figures

HERE = Path(__file__).parent / "pictures"
SHOWN = {"digits_noisy": "300 digits, half of the labels wrong", "digits": "1,079 clean digits"}
LAMBDA = "weight_l2"


def main() -> None:
    """Run both sweeps in a folder of their own, and draw them side by side."""
    with tempfile.TemporaryDirectory() as folder:
        studies = {name: sweeps.run(name, directory=folder).record for name in SHOWN}
        save(side_by_side(studies), HERE / "digits.png", Path(folder))
        save(throughput(), HERE / "throughput.png", Path(folder))


def side_by_side(studies: dict[str, StudyRecord]) -> go.Figure:
    """Validation accuracy against one lambda, a panel a study."""
    titles = [f"{name}: {SHOWN[name]}" for name in studies]
    figure = make_subplots(rows=1, cols=2, subplot_titles=titles, shared_yaxes=True, horizontal_spacing=0.04)
    for column, study in enumerate(studies.values(), start=1):
        figures.add_lambda(figure, study, LAMBDA, row=1, col=column)
    figure.update_xaxes(title_text=LAMBDA)
    figure.update_yaxes(title_text=figures.OBJECTIVE_TITLES["val_accuracy"], col=1)
    figures.lay_out(figure, height=420)
    figure.update_layout(width=1100, font={"family": "sans-serif", "size": 14, "color": "#1d2330"}, paper_bgcolor="#fff")
    return figure


def throughput() -> go.Figure:
    """Trials a second against lanes, a line for each number of workers."""
    figure = go.Figure()
    for workers in WORKERS:
        rates = in_child(measure, workers, LANES, 512)
        name = f"{workers} worker{'s' * (workers > 1)}"
        figure.add_scatter(x=list(rates), y=list(rates.values()), name=name, mode="lines+markers", line={"width": 3})
    figure.update_xaxes(title_text="networks trained in lockstep (lanes)", type="log", tickvals=LANES, ticktext=LANES)
    figure.update_yaxes(title_text="trials a second", rangemode="tozero")
    figures.lay_out(figure, height=420)
    figure.update_layout(
        width=760, showlegend=True, font={"family": "sans-serif", "size": 14, "color": "#1d2330"}, paper_bgcolor="#fff"
    )
    return figure


def save(figure: go.Figure, path: Path, folder: Path) -> None:
    """A figure as a PNG file, drawn by a browser without a window."""
    width, height = figure.layout.width, figure.layout.height
    page = folder / "figure.html"
    page.write_text(
        f"<body style='margin:0'><div id='f'></div><script>{get_plotlyjs()}</script>"
        f"<script>Plotly.newPlot('f', {figure.to_json()}.data, {figure.to_json()}.layout, {{displayModeBar: false}})</script>"
    )
    subprocess.run(
        ["chromium", "--headless=new", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking",
         "--hide-scrollbars", f"--user-data-dir={folder / 'profile'}", "--virtual-time-budget=5000",
         "--force-device-scale-factor=1.5",
         f"--window-size={width},{height}", f"--screenshot={path}", page.as_uri()],
        check=True, capture_output=True,
    )  # fmt: skip


if __name__ == "__main__":
    main()
