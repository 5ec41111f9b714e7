"""The page, in a real browser: it draws everything offline, at any width, in both themes, from
numbers that it holds once.
"""

import base64
import dataclasses
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from experiments.card import card
from experiments.records import FAIL, StudyRecord, TrialRecord
from experiments.reports import block
from experiments.reports.page import render, script_safe, write_page
from nnreg import LAMBDA_NAMES, Lambdas
from tests.browser import Browser, browser
from tests.needs import needs_module
from tests.studies import confirmed_study, make_study, make_trial

PHONE, DESKTOP = 360, 1280
IMPORTANCES = dict(zip(LAMBDA_NAMES, (0.4, 0.3, 0.2, 0.1), strict=True))
FAILED = make_trial(2, state=FAIL, metrics=None, curves={}, error="killed")
INK = (
    "const text = document.querySelector('.plot .xtick text'); return text &&"
    " getComputedStyle(text).fill"
)
UNDRAWN = """
return [...document.querySelectorAll(".plot")].filter(plot => {
  const marks = plot.querySelectorAll(".point, .js-line, .js-fill");
  return ![...marks].some(mark => mark.getBoundingClientRect().width + mark.getBoundingClientRect().height > 0);
}).map(plot => plot.getAttribute("aria-label"));
"""
CUT_OFF = """
const cut = (box, room) =>
  box.width > 0 && (box.right > room.right + 1 || box.left < room.left - 1 || box.bottom > room.bottom + 1);
return [...document.querySelectorAll(".plot")].flatMap(plot =>
  [...plot.querySelectorAll("text")].filter(text => cut(text.getBoundingClientRect(), plot.getBoundingClientRect()))
    .map(text => `${plot.getAttribute("aria-label")}: ${text.textContent}`));
"""


@pytest.fixture(scope="module")
def window(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    with browser(tmp_path_factory.mktemp("profile")) as opened:
        yield opened


def show(
    window: Browser,
    record: StudyRecord,
    folder: Path,
    width: int = DESKTOP,
    theme: str = "light",
    **options: Any,
) -> None:
    """Open the page of a study in a window of this width."""
    look(window, width, theme)
    window.open(write_page(record, folder / "report.html", **options).as_uri())
    window.wait_for(
        lambda: window.driver.execute_script("return document.readyState") == "complete"
    )


def look(window: Browser, width: int, theme: str) -> None:
    size = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": False}
    window.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    feature = {"name": "prefers-color-scheme", "value": theme}
    window.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [feature]})


def confirmed(trials: int = 12, *, look: int = 1, **sections: object) -> StudyRecord:
    study = make_study(trials, **sections)
    assert study.best
    return confirmed_study(study, winner=study.best.trial, look=look)


def rows(window: Browser, view: str = "trials") -> list[list[str]]:
    script = (
        f"return [...document.querySelectorAll('[data-view={view}] tbody tr')].map(r =>"
        " [...r.children].map(c => c.textContent))"
    )
    found: list[list[str]] = window.driver.execute_script(script)
    return found


@pytest.mark.parametrize(
    ("record", "figures"),
    [
        (dataclasses.replace(make_study(40), importances=IMPORTANCES), "lambdas curves search"),
        (confirmed(), "lambdas curves costs layers search"),
        (
            confirmed(look=0, sweep={"objective": "val_data_loss"}),
            "lambdas curves costs layers search",
        ),
        (make_study(1), "lambdas curves search"),
        (make_study(0), ""),
        (
            dataclasses.replace(make_study(3), trials=(make_trial(0), make_trial(1), FAILED)),
            "lambdas curves search",
        ),
        (make_study(9, lambdas=dict.fromkeys(LAMBDA_NAMES, 1e-3), epochs=1), "curves search"),
    ],
    ids=["searched", "confirmed", "sealed", "baseline alone", "empty", "failed trial", "all fixed"],
)
def test_every_figure_is_drawn_at_any_width_in_both_themes_and_nobody_is_asked(
    window: Browser, record: StudyRecord, figures: str, tmp_path: Path
) -> None:
    window.driver.get_log("browser")
    window.hosts()
    show(window, record, tmp_path, PHONE)
    window.driver.execute_script(
        "document.querySelectorAll('details').forEach(one => one.open = true)"
    )
    ids = [
        element.get_attribute("id")
        for element in window.driver.find_elements("css selector", ".figure")
    ]
    assert ids == [f"figure-{name}" for name in figures.split()]
    for theme in ("light", "dark"):
        before = window.driver.execute_script(INK)
        look(window, PHONE, theme)
        if theme == "dark" and figures:
            window.wait_for(lambda before=before: window.driver.execute_script(INK) != before)
        assert window.driver.execute_script(UNDRAWN) == []
        assert window.driver.execute_script(CUT_OFF) == []
        assert window.driver.execute_script("return document.documentElement.scrollWidth") <= PHONE
    look(window, DESKTOP, "dark")
    if figures:
        width = (
            "return Math.max(...[...document.querySelectorAll('.plot .main-svg')].map(drawn =>"
            " drawn.clientWidth))"
        )
        window.wait_for(lambda: window.driver.execute_script(width) > PHONE)
    assert window.hosts() == set()
    assert [entry for entry in window.driver.get_log("browser") if entry["level"] == "SEVERE"] == []


def test_it_is_printed_in_light_colours_with_figures_as_wide_as_their_place(
    window: Browser, tmp_path: Path
) -> None:
    show(window, confirmed(), tmp_path, theme="dark")
    window.driver.execute_script(
        "addEventListener('beforeprint', () => { window.printed ="
        " [getComputedStyle(document.body).backgroundColor,[...document.querySelectorAll('.plot')].every(p"
        " => p.querySelector('.main-svg').clientWidth <="
        " p.clientWidth),document.body.clientWidth] })"
    )
    pdf = window.driver.execute_cdp_cmd("Page.printToPDF", {})
    assert base64.b64decode(pdf["data"]).startswith(b"%PDF")
    background, fits, width = window.driver.execute_script("return window.printed")
    assert (background, fits) == ("rgb(255, 255, 255)", True)
    assert width <= 700  # of A4 794 pixels, and two margins of 1 cm
    assert window.driver.execute_script("return document.documentElement.className") == ""


def test_each_number_of_the_trials_is_in_the_block_once() -> None:
    record = confirmed(30)
    text = render(record).partition('id="numbers">')[2].partition("</script>")[0]
    for trial in record.trials:
        numbers = [trial.numbers[name] for name in (*block.METRICS, *LAMBDA_NAMES)]
        assert {number: text.count(repr(number)) for number in numbers if number} == dict.fromkeys(
            filter(None, numbers), 1
        )


def test_the_card_comes_first_with_the_settings_below_and_before_a_confirmation_the_command_for_it(
    window: Browser, tmp_path: Path
) -> None:
    record = confirmed()
    made = card(record)
    assert made
    show(window, record, tmp_path)
    assert window.texts(".says") == [made.says]
    assert window.texts(".cautions li") == list(made.cautions)
    assert [line.split(" ")[0] for line in window.texts(".choice tbody tr")] == list(LAMBDA_NAMES)
    assert record.verdict
    # all digits, where the table has two
    script = "return arguments[0].map(name => block.tables.settings.columns[name])"
    strengths = zip(*window.driver.execute_script(script, list(LAMBDA_NAMES)), strict=True)
    assert list(strengths) == [
        tuple(getattr(one.lambdas, name) for name in LAMBDA_NAMES)
        for one in record.verdict.settings
    ]
    show(window, make_study(5), tmp_path)
    assert "sweeps confirm digits" in window.texts(".card .command")


def test_the_table_sorts_and_filters(window: Browser, tmp_path: Path) -> None:
    record = make_study(40)
    show(window, record, tmp_path)
    assert [row[0] for row in rows(window)] == [str(trial.trial) for trial in record.ranked]
    field = window.driver.find_element("css selector", "input")
    field.send_keys("weight_l2 > 1e-3, bias_l1 = off")
    kept = [
        trial
        for trial in record.ranked
        if trial.lambdas.weight_l2 > 1e-3 and not trial.lambdas.bias_l1
    ]
    assert 0 < len(kept) < 40
    assert [row[0] for row in rows(window)] == [str(trial.trial) for trial in kept]
    assert window.texts(".table .note")[-1] == f"{len(kept)} of 40 trials"
    button = next(
        b
        for b in window.driver.find_elements("css selector", "[data-view=trials] th button")
        if b.text == "weight_l2"
    )
    for sign in (1, -1):
        button.click()
        ordered = sorted(kept, key=lambda trial: sign * trial.lambdas.weight_l2)
        assert [row[0] for row in rows(window)] == [str(trial.trial) for trial in ordered]
    field.clear()
    field.send_keys("weihgt > 1")
    assert window.texts(".table .note")[-1] == "There is no column weihgt."


def test_brushing_an_axis_selects_lines_and_rows(window: Browser, tmp_path: Path) -> None:
    chains = needs_module("selenium.webdriver.common.action_chains").ActionChains
    record = make_study(40)
    show(window, record, tmp_path)
    area = window.driver.find_elements("css selector", ".parallel .area")[
        LAMBDA_NAMES.index("bias_l2") + 1
    ]  # the objective's
    height = int(area.rect["height"])
    drag = chains(window.driver).move_to_element_with_offset(area, 0, -height // 2 + 1)
    drag.click_and_hold().move_by_offset(0, height // 2).release().perform()
    lit = window.driver.execute_script(
        "return document.querySelectorAll('.parallel polyline:not(.out)').length"
    )
    assert 0 < lit < 40
    assert [row[0] for row in rows(window)] == [
        str(trial.trial) for trial in record.ranked[:lit]
    ]  # the best, from above
    assert window.texts(".parallel .note")[0].startswith(f"{lit} of 40 trials selected")
    window.driver.find_element("css selector", ".parallel button").click()
    assert len(rows(window)) == 40


def test_a_run_is_a_link_where_a_server_has_it(window: Browser, tmp_path: Path) -> None:
    record, runs = make_study(3), {0: "a" * 32, 1: "b" * 32}
    show(window, record, tmp_path, runs=runs, server="https://host/mlflow")
    links = window.driver.find_elements("css selector", "[data-view=trials] a")
    assert {link.get_attribute("href") for link in links} == {
        f"https://host/mlflow/#/runs/{run}" for run in runs.values()
    }
    show(window, record, tmp_path, runs=runs)
    assert {row[-1] for row in rows(window)} == {"a" * 32, "b" * 32, ""}
    assert "sweeps ui digits" in window.driver.find_element("css selector", "body").text


def test_it_runs_nothing_that_comes_from_data(window: Browser, tmp_path: Path) -> None:
    evil = (
        "</script><script>document.title='owned'</script><img src=x"
        " onerror=\"document.title='owned'\">"
    )
    record = confirmed(5)
    record = dataclasses.replace(
        record,
        experiment=record.experiment.model_copy(update={"name": evil}),
        study=evil,
        versions={"python": evil},
    )
    for server in (None, f"https://{evil}"):
        show(window, record, tmp_path, runs={0: evil, 1: evil}, server=server)
        assert window.driver.execute_script(UNDRAWN) == []
        assert window.driver.title == f"{evil}: sweep report"
        assert window.driver.find_elements("css selector", "img") == []


def test_the_numbers_cannot_end_their_script() -> None:
    evil = "</script><script>\u2028"
    safe = script_safe(json.dumps(evil, ensure_ascii=False))
    assert "<" not in safe
    assert json.loads(safe) == evil


def test_it_stays_small() -> None:
    assert (
        len(render(make_study(1_000, epochs=100), dict.fromkeys(range(1000), "f" * 32)).encode())
        < 7_000_000
    )


def test_of_many_trials_the_best_are_shown_and_the_others_counted(
    window: Browser, tmp_path: Path
) -> None:
    def scored(trial: TrialRecord, value: float) -> TrialRecord:
        assert trial.metrics
        return dataclasses.replace(
            trial, metrics=dataclasses.replace(trial.metrics, val_accuracy=value)
        )

    record = make_study(block.ALL_SHOWN + 1, epochs=1)
    first, second, *others = record.trials
    record = dataclasses.replace(
        record, trials=(scored(first, 0.01), scored(second, 0.02), *others)
    )
    tables = block.tables(record, {})
    numbers = tables["trials"]["columns"]["trial"]
    best = {trial.trial for trial in record.ranked[: block.BEST_SHOWN]}
    assert best | {0, 1} <= set(
        numbers
    )  # the second led the search for a while, which the line of the best so far shows
    assert sum(tables["rest"]["columns"]["trials"]) == len(record.trials) - len(numbers)
    show(window, record, tmp_path)
    assert window.driver.execute_script(UNDRAWN) == []
    assert len(rows(window)) == len(numbers)


def test_a_limit_leaves_out_the_worst_tenth_but_never_the_baseline() -> None:
    def with_values(*values: float) -> StudyRecord:
        trials = []
        for number, value in enumerate(values):
            base = make_trial(number, lambdas=Lambdas(weight_l1=float(number)))
            assert base.metrics
            trials.append(
                dataclasses.replace(
                    base, metrics=dataclasses.replace(base.metrics, val_accuracy=value)
                )
            )
        return dataclasses.replace(make_study(0), trials=tuple(trials))

    edge = block.limit(with_values(0.8, *[0.9] * 18, 0.0))
    assert edge is not None
    assert 0.7 < edge < 0.8
    assert (
        block.limit(with_values(*[0.9] * 19, 0.0)) is None
    )  # no room below where all others are equal
