"""MLflow's page as a user sees it: a real server, a real browser, simulated studies of 100 and of
120 trials.

Screenshots are kept in the folder that the variable SCREENSHOTS names, if it does, so that somebody
can look at them.
"""

import dataclasses
import json
import os
from collections.abc import Iterator
from contextlib import closing
from http.client import HTTPConnection
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from experiments.card import card
from experiments.records import FAIL, StudyRecord
from experiments.reports.page import write_page
from experiments.tracking import Links, Tracker, choose, sync_runs
from nnreg import LAMBDA_NAMES
from sweeps.cli.server import HOST, serving
from tests.browser import REBOUND, Browser, browser
from tests.servers import free_port
from tests.studies import confirmed_study, make_study, make_trial

SETTING = [*LAMBDA_NAMES, "learning_rate"]
COLUMNS = [*SETTING, "val_accuracy", "data_loss", "regularization_loss"]
EVIL = 'killed <img src="x" onerror="document.title=1"> | **at** [once](javascript:alert(1))'
FAILED, DIVERGED = 7, 8
NAME = "attributes.`Run Name`"
CHAT = "[data-component-id='mlflow.assistant.chat_panel.close']"  # there while the chat is open


def troubled(study: StudyRecord) -> StudyRecord:
    """The study with a trial that failed and one that diverged."""
    trials = list(study.trials)
    trials[FAILED] = make_trial(FAILED, state=FAIL, metrics=None, curves={}, error=EVIL)
    trials[DIVERGED] = make_trial(DIVERGED, diverged=True)
    assert trials[DIVERGED].metrics
    metrics = dataclasses.replace(trials[DIVERGED].metrics, val_accuracy=0.0)
    trials[DIVERGED] = dataclasses.replace(trials[DIVERGED], metrics=metrics)
    return dataclasses.replace(study, trials=tuple(trials))


BORN: dict[str, Any] = {
    "provenance": {"command": "sweeps run digits", "commit": "0123456789" * 4, "user": "somebody"},
    "data": {
        "digest": "d" * 64,
        "features": 64,
        "rows": {"training": 1078, "validation": 359, "test": 360},
    },
}
TRIALS = troubled(dataclasses.replace(make_study(100), **BORN))
FIRST = dataclasses.replace(TRIALS, trials=TRIALS.trials[:6])  # all of them are candidates
SMALL = dataclasses.replace(confirmed_study(FIRST, look=1, winner=3), trials=TRIALS.trials)
LARGE = make_study(120, name="digits-large", epochs=1, sweep={"objective": "val_data_loss"})


@dataclasses.dataclass(frozen=True)
class Shown:
    """A browser, and the links to the studies."""

    page: Browser
    links: dict[str, Links]
    pictures: Path

    def picture(self, name: str) -> None:
        """What is on the screen, kept for people."""
        self.page.screenshot(self.pictures / f"{name}.png")

    def text(self) -> str:
        """All text of the page, with single spaces."""
        return " ".join(self.page.texts("body")[0].split())

    def run(self, script: str) -> Any:
        """What JavaScript returns."""
        return self.page.driver.execute_script(script)

    def find(self, script: str) -> Any:
        """What JavaScript returns, once it is something."""
        return self.page.wait_for(lambda: self.run(script))


@pytest.fixture(scope="module")
def opened() -> Iterator[None]:
    """The user's environment has a server of theirs open to everybody."""
    with pytest.MonkeyPatch.context() as patch:
        for name in ("ALLOWED_HOSTS", "CORS_ALLOWED_ORIGINS"):
            patch.setenv(f"MLFLOW_SERVER_{name}", "*")
        patch.setenv("MLFLOW_SERVER_DISABLE_SECURITY_MIDDLEWARE", "true")
        yield


@pytest.fixture(scope="module")
def window(tmp_path_factory: pytest.TempPathFactory, opened: None) -> Iterator[Shown]:
    """One server and one browser for all."""
    folder = tmp_path_factory.mktemp("page")
    pictures = Path(os.environ.get("SCREENSHOTS", folder))
    pictures.mkdir(parents=True, exist_ok=True)
    store = choose(folder, "digits", environ={})
    trackers = {study.study: Tracker(store, study) for study in (SMALL, LARGE)}
    for study in (SMALL, LARGE):
        sync_runs(trackers[study.study], study)
    trackers[SMALL.study].log_file(write_page(SMALL, folder / "report.html"))
    with serving(store, free_port()) as server, browser(folder / "profile") as page:
        links = {name: tracker.show().at(server.url) for name, tracker in trackers.items()}
        page.open(server.url)  # MLflow's chat opens at the first visit
        page.wait_for(lambda: page.driver.find_elements("css selector", CHAT))[0].click()
        yield Shown(page, links, pictures)


@pytest.fixture(autouse=True)
def offline(window: Shown) -> Iterator[None]:
    """No request leaves the machine, whatever is looked at."""
    yield
    assert window.page.hosts() == {HOST}


def rows(window: Shown) -> list[dict[str, str]]:
    """The table as it is on the screen, from top to bottom: the texts of cells by column."""
    script = """
        const rows = {};
        for (const cell of document.querySelectorAll('.ag-row [col-id]')) {
            const index = cell.closest('.ag-row').getAttribute('row-index');
            (rows[index] = rows[index] || {})[cell.getAttribute('col-id')] = cell.innerText.trim();
        }
        return Object.keys(rows).map(Number).sort((a, b) => a - b).map(index => rows[index]);
    """
    return list(window.run(script))


def name_in(row: dict[str, str]) -> str:
    """The name of a run; KeyError or empty where its row is still being drawn."""
    return row[NAME].rpartition("\n")[2]  # above it is the color of its dot, as text


def names(window: Shown) -> list[str]:
    return [name_in(row) for row in rows(window) if row.get(NAME)]


def best_first(study: StudyRecord) -> list[tuple[str, str]]:
    return [(f"trial-{trial.trial:05d}", str(study.value(trial))) for trial in study.ranked[:10]]


# Of every lambda the first three digits are seen, and all of it where an exponent ends it.
CUT_LAMBDAS = """
    const pen = document.createElement('canvas').getContext('2d'), short = [];
    for (const cell of document.querySelectorAll('.ag-row [col-id]')) {
        if (!/(weight|bias)_l[12]/.test(cell.getAttribute('col-id'))) continue;
        const style = getComputedStyle(cell);
        const padding = parseFloat(style.paddingLeft) + parseFloat(style.paddingRight);
        const room = cell.clientWidth - padding, text = cell.innerText.trim();
        pen.font = style.font;
        const needed = /e/.test(text) ? text : text.match(/^[0.]*[0-9]{0,3}/)[0] + '…';
        if (pen.measureText(needed).width > room) short.push([text, room]);
    }
    return short;
"""


@pytest.mark.parametrize("study", [SMALL, LARGE], ids=["100", "120"])
def test_the_link_opens_the_trials_of_the_study_best_first(
    window: Shown, study: StudyRecord
) -> None:
    window.page.open(window.links[study.study].trials)
    value = f"metrics.`{study.objective}`"
    window.page.wait_for(
        lambda: [(name_in(row), row[value]) for row in rows(window)[:10]] == best_first(study)
    )
    window.picture(f"trials-{len(study.trials)}")
    script = """
        const cells = [...document.querySelectorAll('.ag-header-cell[col-id^="metrics."]')];
        cells.sort((a, b) => a.getBoundingClientRect().left - b.getBoundingClientRect().left);
        const name = cell => cell.getAttribute('col-id').replace(/^metrics\\.`|`$/g, '');
        const isCut = one => one.scrollWidth > one.clientWidth + 1 && one.innerText;
        const cut = cell => [...cell.querySelectorAll('*')].some(isCut);
        return cells.map(cell => [name(cell), cut(cell)]);
    """
    headers = window.run(script)
    wanted = list(dict.fromkeys([study.objective, *COLUMNS]))
    # A column far to the right is drawn when somebody scrolls there.
    assert [name for name, _ in headers] == wanted[: len(headers)]
    assert {study.objective, *SETTING} <= {name for name, _ in headers}
    assert [name for name, cut in headers if cut] == []
    assert window.run(CUT_LAMBDAS) == []
    # No run of the confirmation, and not the study's; of 120 the first hundred.
    assert {name.partition("-")[0] for name in names(window)} == {"trial"}
    assert "100 matching runs" in window.text()


def test_the_setting_fits_into_a_window_of_1440(window: Shown) -> None:
    end = "return document.querySelector('[col-id=\"metrics.`learning_rate`\"]')"
    end += ".getBoundingClientRect().right <= window.innerWidth"
    window.page.driver.set_window_size(1440, 900)
    try:
        window.page.open(window.links[SMALL.study].trials)
        window.page.wait_for(lambda: len(names(window)) >= 10)
        window.picture("trials-100-1440")
        assert window.run(end)
    finally:
        window.page.driver.set_window_size(1600, 1000)


def test_a_plain_mlflow_opens_on_the_answer_and_the_studies(window: Shown) -> None:
    home, made = window.links[SMALL.study].plain.partition("#")[0], card(SMALL)
    assert made
    window.page.open(home)
    window.page.wait_for(lambda: made.says in window.page.texts("body")[0])
    window.picture("home")
    window.page.open(f"{home}#/experiments/1/runs")
    window.page.wait_for(lambda: sorted(names(window)) == [SMALL.study, LARGE.study])
    window.picture("plain-studies")
    window.find(
        "return [...document.querySelectorAll('.ag-row a')].find(one => one.innerText.trim() ==="
        f" '{SMALL.study}').closest('.ag-cell').querySelector('button')"
    ).click()
    window.page.wait_for(lambda: f"{SMALL.study} confirmation" in names(window))
    window.picture("plain-trials")
    below = names(window)[names(window).index(SMALL.study) + 1 :]
    assert below[0] == f"{SMALL.study} confirmation"
    assert {name.partition("-")[0] for name in below[1:10]} == {"trial"}


def test_the_charts_are_the_lambdas_together_and_each_alone(window: Shown) -> None:
    for study, sections in ((SMALL, "All trials"), (LARGE, "Best 100 trials")):
        window.page.open(window.links[study.study].charts)
        window.page.wait_for(lambda: len(traces(window)) >= 2)
        window.find("return document.querySelector('.parcoords path, .parcoords canvas, canvas')")
        text = window.text()
        assert f"{sections} (1)" in text
        assert f"{sections}, each axis (5)" in text
        assert "Parallel Coordinates" in text
        window.picture(f"charts-{len(study.trials)}")


def test_without_a_view_the_trials_are_the_same(window: Shown) -> None:
    window.page.open(window.links[LARGE.study].plain)
    window.page.wait_for(lambda: names(window)[:10] == [name for name, _ in best_first(LARGE)])
    window.picture("plain")


def traces(window: Shown) -> list[list[Any]]:
    """Of every plot that is drawn: its traces' names and heights."""
    script = """
        return [...document.querySelectorAll('.js-plotly-plot')].map(plot =>
            plot.data.map(trace => [trace.name || '', Array.from(trace.y || [])]));
    """
    return list(window.run(script))


def test_the_curves_are_those_of_the_best_ten_and_of_the_baseline(window: Shown) -> None:
    window.page.open(window.links[SMALL.study].curves)
    wanted = {*(name for name, _ in best_first(SMALL)), "trial-00000"}
    window.page.wait_for(lambda: set(filter(None, window.page.texts(".ag-row a"))) == wanted)
    window.page.wait_for(lambda: len(traces(window)) >= 2)
    window.page.wait_for(lambda: all(len(plot) >= len(wanted) for plot in traces(window)[:2]))
    window.picture("curves-100")
    # Then come those of other metrics.
    for plot, metric in zip(traces(window), ("val_accuracy", "data_loss"), strict=False):
        lines = {name.split()[0]: heights for name, heights in plot if name}
        trials = {f"trial-{trial.trial:05d}": trial for trial in SMALL.trials}
        curves = {name: heights[:-1] for name, heights in lines.items()}
        assert curves == {name: list(trials[name].curves[metric]) for name in wanted}
        kept = {name: getattr(trials[name].metrics, metric) for name in wanted}
        assert {name: heights[-1] for name, heights in lines.items()} == kept


def test_the_views_are_in_the_menu_of_views(window: Shown) -> None:
    window.page.open(window.links[SMALL.study].trials)
    window.find("return document.querySelector('[data-testid=\"saved-views-trigger\"]')").click()
    offered = window.page.wait_for(lambda: " ".join(window.page.texts("[role='menu']")))
    for study in (SMALL, LARGE):
        assert study.study in offered
        assert f"{study.study}: learning curves" in offered


def test_the_studys_run_says_what_was_found_on_what_by_which_command(window: Shown) -> None:
    made = card(SMALL)
    assert made
    link = window.links[SMALL.study].study
    assert link
    window.page.open(link)
    window.page.wait_for(lambda: made.says in window.page.texts("body")[0])
    window.picture("study")
    text = window.text()
    data, fingerprint = ("digits (", "Training +2"), f"fingerprint : {SMALL.fingerprint}"
    for part in ("sweeps run digits", "0123456", "somebody", *data, fingerprint):
        assert part in text


def test_the_report_is_previewed_whole(window: Shown) -> None:
    link = window.links[SMALL.study].study
    assert link
    window.page.open(link.replace("?", "/artifacts/report.html?"))
    frame = window.find("return document.querySelector('iframe')")
    window.page.driver.get_log("browser")
    window.page.driver.switch_to.frame(frame)
    try:
        heading = window.find("return document.querySelector('h1')")
        assert heading.text.startswith(SMALL.study)
        window.find("return document.querySelector('svg')")
    finally:
        window.page.driver.switch_to.default_content()
    window.picture("report")
    log = window.page.driver.get_log("browser")
    errors = [entry["message"] for entry in log if entry["level"] == "SEVERE"]
    # MLflow asks who one is, and nobody is.
    assert [message for message in errors if "users/current" not in message] == []


@pytest.mark.parametrize(
    ("number", "status", "note"),
    [(FAILED, "Failed", EVIL), (DIVERGED, "Finished", "Diverged: the loss")],
)
def test_what_went_wrong_with_a_trial_is_its_description(
    window: Shown, number: int, status: str, note: str
) -> None:
    window.page.open(window.links[SMALL.study].trials)
    window.page.wait_for(lambda: names(window)[:10] == [name for name, _ in best_first(SMALL)])
    window.run("document.querySelector('.ag-body-viewport').scrollTop = 1e6")
    window.page.wait_for(lambda: f"trial-{number:05d}" in names(window))
    window.picture("trials-100-last")
    window.find(
        "return [...document.querySelectorAll('a')].find(one => one.innerText.trim() ==="
        f" 'trial-{number:05d}')"
    ).click()
    window.page.wait_for(lambda: note in window.text() and status in window.text())
    window.picture(f"trial-{status.lower()}")
    evil = "img[onerror], a[href^='javascript']"
    assert window.page.driver.find_elements("css selector", evil) == []


def status(window: Shown, **headers: str) -> int:
    """The status of a request that makes an experiment, or would, with these headers."""
    connection = HTTPConnection(HOST, urlsplit(window.links[SMALL.study].plain).port or 0)
    sent = {"Content-Type": "application/json"} | headers
    with closing(connection):
        body = json.dumps({"name": f"made {headers}"})
        connection.request("POST", "/ajax-api/2.0/mlflow/experiments/create", body, sent)
        return connection.getresponse().status


def test_a_page_of_another_site_reads_and_writes_nothing(window: Shown) -> None:
    port = urlsplit(window.links[SMALL.study].plain).port
    ours = {"Host": f"localhost:{port}", "Origin": f"http://localhost:{port}"}
    assert status(window, **ours) == 200
    for host in ("10.evil.example", "10.0.0.1", "192.168.1.5", "evil.localhost", "localhost"):
        end = f":{port}" if host != "localhost" else ":1"
        assert status(window, Host=host + end) == 403
    for origin in ("http://evil.example", f"http://{REBOUND}:{port}", "null"):
        assert status(window, Origin=origin) == 403
    window.page.open(f"http://{REBOUND}:{port}")  # DNS rebinding
    assert "Invalid Host header" in window.text()
    asked = "/ajax-api/2.0/mlflow/experiments/get?experiment_id=0"
    read = f"return fetch('{asked}').then(answer => answer.status)"
    assert window.run(read) == 403
    assert REBOUND in window.page.hosts()
    window.page.open(window.links[SMALL.study].plain)
    assert window.run(read) == 200
