"""Makes the pictures of the documentation from real sweeps: `python -m docs.pictures` (needs the
browser chromium).
"""

import json
import subprocess
import tempfile
import time
from contextlib import ExitStack
from dataclasses import asdict
from pathlib import Path

import plotly.graph_objects as go
from plotly.offline import get_plotlyjs

import sweeps
from benchmarks.command import in_child
from benchmarks.throughput import LANES, WORKERS, measure
from experiments.records import StudyRecord
from experiments.reports.block import limit, trials_table
from experiments.reports.page import own, script_safe
from experiments.reports.panels import axes
from experiments.reports.strengths import lambda_panel
from nnreg import LAMBDA_NAMES
from sweeps.cli.server import Server
from sweeps.workspace import workspace
from tests.browser import browser
from tests.snippets import ROOT, Reader
from tests.warm import warm

HERE = Path(__file__).parent / "pictures"
SHOWN = {"digits_noisy": "300 digits, half of the labels wrong", "digits": "1,079 clean digits"}
LAMBDA = "weight_l2"
ASSISTANT = (  # opens beside MLflow's first page
    '[data-component-id="mlflow.assistant.chat_panel.close"]'
)
SETTLED = 3  # seconds until what moves on MLflow's page has come to rest
GRID = {
    "gridcolor": "rgba(128,128,128,0.2)",
    "zeroline": False,
    "linecolor": "rgba(128,128,128,0.5)",
    "automargin": True,
}
LOOK = {
    "template": "none",
    "height": 420,
    "margin": {"l": 60, "r": 15, "t": 70, "b": 45},
    "font": {"family": "sans-serif", "size": 14, "color": "#1d2330"},
    "paper_bgcolor": "#fff",
    "plot_bgcolor": "#fff",
}
SIDE_BY_SIDE = """
const colour = name => getComputedStyle(document.documentElement).getPropertyValue(name).trim(), given = %s;
for (const study of given.studies) derive(study.table, given.names, study.axes, study.maximize);
given.studies.forEach((study, at) => {
  const { data, layout } = resolve(study.panel, { trials: study.table }, colour);
  data.forEach((trace, n) => { trace.name = given.legend[n]; trace.showlegend = Boolean(given.legend[n]); });
  Plotly.newPlot("f" + at, data, {
    ...layout, ...given.look, width: 550, showlegend: true, title: { text: study.title },
    legend: { orientation: "h", x: 0, y: 1.01, yanchor: "bottom" },
    xaxis: { ...given.grid, ...layout.xaxis, title: { text: layout.xaxis.title } },
    yaxis: { ...given.grid, ...layout.yaxis, range: given.range, title: { text: at ? "" : "validation accuracy" } },
  }, { displayModeBar: false });
});
"""


def main() -> None:
    """Run both sweeps in a folder of their own, and draw them side by side."""
    with tempfile.TemporaryDirectory() as folder:
        studies = {name: sweeps.run(name, confirm=False, directory=folder).record for name in SHOWN}
        save(side_by_side(studies), (1100, 420), HERE / "digits.png", Path(folder))
        save(drawn(throughput()), (760, 420), HERE / "throughput.png", Path(folder))
        tutorial(Path(folder))


def side_by_side(studies: dict[str, StudyRecord]) -> str:
    """Validation accuracy against one lambda as the page of a study draws it, a panel a study: the
    body of an HTML page.
    """
    values = [study.value(trial) for study in studies.values() for trial in study.complete]
    edges = [edge for study in studies.values() if (edge := limit(study)) is not None]
    lowest, highest = min(edges, default=min(values)), max(values)
    room = (highest - lowest) / 20
    panels = [
        {
            "table": trials_table(study, study.trials),
            "axes": axes(study),
            "maximize": study.maximize,
        }
        | {"panel": asdict(lambda_panel(study, LAMBDA)), "title": f"{name}: {SHOWN[name]}"}
        for name, study in studies.items()
    ]
    given = {
        "studies": panels,
        "names": LAMBDA_NAMES,
        "look": LOOK,
        "grid": GRID,
        "range": [lowest - room, highest + room],
    }
    given["legend"] = ["trial", "", "baseline (all off)", "best", ""]
    places = "".join(f"<div id='f{at}' style='float:left'></div>" for at in range(len(panels)))
    script = own("columns.js") + SIDE_BY_SIDE % script_safe(json.dumps(given))
    return (
        f"<style>{own('page.css')} body {{ padding: 0; max-width: none"
        f" }}</style>{places}<script>{script}</script>"
    )


def throughput() -> go.Figure:
    """Trials a second against lanes, a line for each number of workers."""
    figure = go.Figure()
    for workers in WORKERS:
        rates = in_child(measure, workers, LANES, 512)
        name = f"{workers} worker{'s' * (workers > 1)}"
        figure.add_scatter(
            x=list(rates),
            y=list(rates.values()),
            name=name,
            mode="lines+markers",
            line={"width": 3},
        )
    figure.update_xaxes(
        title_text="networks trained in lockstep (lanes)",
        type="log",
        tickvals=LANES,
        ticktext=LANES,
        **GRID,
    )
    figure.update_yaxes(title_text="trials a second", rangemode="tozero", **GRID)
    legend = {
        "orientation": "h",
        "x": 0,
        "xanchor": "left",
        "y": 1,
        "yanchor": "top",
        "yref": "container",
    }
    figure.update_layout(**LOOK, width=760, showlegend=True, legend=legend)
    return figure


def tutorial(folder: Path) -> None:
    """What a reader of the tutorial sees: the page of the study, and MLflow's."""
    place = folder / "tutorial"
    place.mkdir()
    with warm() as programs, ExitStack() as stack:
        Reader(place, stack, programs).follow(ROOT / "docs" / "tutorial.md")
    report = place / "reports" / "cancer" / "report.html"
    shoot(report.as_uri(), (1100, 1130), HERE / "report.png", folder, scale=0.8)
    here = workspace(place, None, None)
    tracker = here.tracker(here.record("cancer"))
    with Server(tracker.store) as server, browser(folder / "selenium") as window:
        links = tracker.show().at(server.url)
        window.open(server.url)
        window.wait_for(lambda: window.driver.find_elements("css selector", ASSISTANT))[0].click()
        for link, drawn_first, height, name in (
            (links.trials, ".ag-row", 640, "mlflow"), (links.charts, ".js-plotly-plot .main-svg", 1000, "charts")
        ):  # fmt: skip
            size = {"width": 1500, "height": height, "deviceScaleFactor": 1, "mobile": False}
            window.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
            window.open(link)
            window.wait_for(lambda selector=drawn_first: window.texts(selector))
            time.sleep(SETTLED)
            window.screenshot(HERE / f"{name}.png")


def drawn(figure: go.Figure) -> str:
    """A figure as the body of an HTML page."""
    return (
        f"<div id='f'></div><script>Plotly.newPlot('f', {{...{figure.to_json()}, config:"
        " {displayModeBar: false}})</script>"
    )


def save(body: str, size: tuple[int, int], path: Path, folder: Path) -> None:
    """What is drawn in the body of an HTML page, as a PNG file, by a browser without a window."""
    page = folder / "figure.html"
    page.write_text(
        f"<!doctype html><body style='margin:0'><script>{get_plotlyjs()}</script>{body}",
        encoding="utf-8",
    )
    shoot(page.as_uri(), size, path, folder, scale=1.5)


def shoot(link: str, size: tuple[int, int], path: Path, folder: Path, *, scale: float) -> None:
    """A page as a PNG file."""
    subprocess.run(
        ["chromium", "--headless=new", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking",
         "--hide-scrollbars", f"--user-data-dir={folder / 'profile'}", "--virtual-time-budget=20000",
         f"--force-device-scale-factor={scale}",
         f"--window-size={size[0]},{size[1]}", f"--screenshot={path}", link],
        check=True, capture_output=True,
    )  # fmt: skip


if __name__ == "__main__":
    main()
