"""Makes the pictures of the documentation from real sweeps: `python -m docs.pictures` (needs the
browser chromium, which was given the font Inter as system-ui).
"""

import math
import subprocess
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import sweeps
from benchmarks.command import in_child
from benchmarks.throughput import LANES, WORKERS, measure
from experiments.records import StudyRecord
from experiments.reports.axes import Axis, linear
from experiments.reports.figures import strengths
from experiments.reports.figures.strengths import strength_plot
from experiments.reports.page import own
from experiments.reports.plot import Figure, Plot
from experiments.reports.shown import Shown
from experiments.reports.snippets import template
from experiments.tracking import Tracker
from sweeps.cli.server import serving
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


def main() -> None:
    """Run both sweeps in a folder of their own, and draw them side by side."""
    with tempfile.TemporaryDirectory() as folder:
        studies = {name: sweeps.run(name, confirm=False, directory=folder).record for name in SHOWN}
        save(side_by_side(studies), (1100, 420), HERE / "digits.png", Path(folder))
        save(throughput(), (760, 420), HERE / "throughput.png", Path(folder))
        sweeps.run("digits_noisy", directory=folder)
        first_screen(Path(folder), "digits_noisy", HERE / "report.png")
        tutorial(Path(folder))


def side_by_side(studies: dict[str, StudyRecord]) -> Figure:
    """Validation accuracy against one lambda as the page of a study draws it, a plot per study."""
    shown = {name: Shown(study) for name, study in studies.items()}
    ends = [end for one in shown.values() for end in (one.axis.low, one.axis.high)]
    plots = [strength_plot(one, LAMBDA, linear(ends, percent=True)) for one in shown.values()]
    for plot, name in zip(plots, studies, strict=True):
        plot.title, plot.height = f"{name}: {SHOWN[name]}", 340
    legend = strengths.figure(next(iter(shown.values()))).legend
    return Figure(plots, legend[:4])  # trials of both arms, and the best of each


def throughput() -> Figure:
    """Trials per second against lanes, a line for each number of workers."""
    rates = {workers: in_child(measure, workers, LANES, 512) for workers in WORKERS}
    ticks = {math.log2(lanes): str(lanes) for lanes in LANES}
    x = Axis(min(ticks), max(ticks), ticks, "networks trained in lockstep (lanes)")
    y = linear([rate for one in rates.values() for rate in one.values()], zero=True)
    plot = Plot("trials per second", x, y, height=360)
    kinds = dict(zip(rates, ("trial", "indistinguishable", "recommended", "fresh"), strict=False))
    for workers, kind in kinds.items():
        points = [(math.log2(lanes), rate) for lanes, rate in rates[workers].items()]
        plot.line(kind, points)
        for point in points:
            plot.point("disc", kind, *point, "")
    words = {workers: f"{workers} worker{'s' * (workers > 1)}" for workers in kinds}
    return Figure([plot], [("line", kind, words[workers]) for workers, kind in kinds.items()])


def first_screen(directory: Path, study: str, path: Path) -> None:
    """What is seen first of the page of a study."""
    report = directory / "reports" / study / "report.html"
    shoot(report.as_uri(), (1440, 900), path, directory, scale=1)


def tutorial(folder: Path) -> None:
    """What a reader of the tutorial sees: the page of the first study, MLflow of the second."""
    place = folder / "tutorial"
    place.mkdir()
    with warm() as programs, ExitStack() as stack:
        Reader(place, stack, programs, patient=True).follow(ROOT / "docs" / "tutorial.md")
    first_screen(place, "sensors", HERE / "sensors.png")
    here = workspace(place, None, None)
    with (
        here.tracker(here.record("cancer")) as tracker,
        serving(tracker.store) as server,
        browser(folder / "selenium") as window,
    ):
        links = tracker.call(Tracker.show).at(server.url)
        window.open(server.url)
        window.wait_for(lambda: window.driver.find_elements("css selector", ASSISTANT))[0].click()
        chart = ".js-plotly-plot .main-svg"
        for link, drawn_first, height, name in (
            (links.trials, ".ag-row", 640, "mlflow"),
            (links.charts, chart, 1000, "charts"),
        ):
            size = {"width": 1500, "height": height, "deviceScaleFactor": 1, "mobile": False}
            window.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
            window.open(link)
            window.wait_for(lambda selector=drawn_first: window.texts(selector))
            time.sleep(SETTLED)
            window.screenshot(HERE / f"{name}.png")


def save(figure: Figure, size: tuple[int, int], path: Path, folder: Path) -> None:
    """A figure as a PNG file."""
    page = folder / "figure.html"
    macros: Any = template("figure.html.j2", escaped=True).module
    body = f"{macros.shapes()}{macros.draw('picture', figure)}"
    page.write_text(
        f"<!doctype html><style>{own('page.css')} body {{ padding: 8px; }}</style>{body}",
        encoding="utf-8",
    )
    shoot(page.as_uri(), size, path, folder, scale=1.5)


def shoot(link: str, size: tuple[int, int], path: Path, folder: Path, *, scale: float) -> None:
    """A page as a PNG file."""
    options = [
        *("--headless=new", "--no-sandbox", "--disable-gpu", "--no-first-run"),
        *("--disable-background-networking", "--hide-scrollbars"),
        f"--user-data-dir={folder / 'profile'}",
        f"--force-device-scale-factor={scale}",
        f"--window-size={size[0]},{size[1]}",
        f"--screenshot={path}",
    ]
    subprocess.run(["chromium", *options, link], check=True, capture_output=True)


if __name__ == "__main__":
    main()
