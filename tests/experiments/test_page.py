"""The page, in a real browser: it shows everything offline, at any width, in both themes and on
paper.
"""

import dataclasses
import html
import re
from collections.abc import Iterator
from importlib import resources
from pathlib import Path
from typing import Any

import pytest

from experiments.card import card
from experiments.cautions import no_verdict
from experiments.measures import percent, strength
from experiments.records import FAIL, StudyRecord
from experiments.reports.page import METRICS, render, write_page
from experiments.reports.shown import ALL_SHOWN, BEST_SHOWN, Shown
from experiments.reports.snippets import unbroken
from experiments.verdict import BASELINE, BETTER
from nnreg import LAMBDA_NAMES
from tests.browser import Browser, browser
from tests.needs import needs_module
from tests.studies import (
    PARAMETERS,
    compared,
    confirmed_study,
    make_study,
    make_trial,
    own_study,
    study_with,
)

PHONE, DESKTOP = 360, 1280
IMPORTANCES = dict(zip(LAMBDA_NAMES, (0.4, 0.3, 0.2, 0.1), strict=True))
FAILED = make_trial(2, state=FAIL, metrics=None, curves={}, error="killed")
WRONG = """
const wrong = [], box = element => element.getBoundingClientRect();
for (const plot of document.querySelectorAll(".plot")) {
  const name = plot.querySelector("svg").getAttribute("aria-label"), room = box(plot);
  const marks = [...plot.querySelectorAll("use, polyline, rect.column")];
  if (!marks.some(mark => box(mark).width + box(mark).height > 0)) wrong.push(`${name}: empty`);
  for (const text of plot.querySelectorAll("text")) {
    const { left, right, bottom, width } = box(text);
    if (width && (left < room.left - 1 || right > room.right + 1 || bottom > room.bottom + 1))
      wrong.push(`${name}: ${text.textContent} is cut off`);
  }
  const below = [...plot.querySelectorAll("svg > text:not(.side)")].filter(text => box(text).width);
  for (const [at, text] of below.entries()) for (const other of below.slice(0, at)) {
    const [a, b] = [box(text), box(other)], [apart, lower] = [a.left - b.right, a.top - b.bottom];
    if (Math.max(apart, b.left - a.right) < -1 && Math.max(lower, b.top - a.bottom) < -3)
      wrong.push(`${name}: ${text.textContent} is on ${other.textContent}`);
  }
}
return wrong;
"""
INK = "return getComputedStyle(document.body).color"
OPEN = "for (const one of document.querySelectorAll('details')) one.open = true"
CHECKED = """
const done = arguments[0];
const found = ({ id, impact, nodes }) => [id, impact, nodes[0].html];
axe.run().then(({ violations }) => done(violations.map(found)));
"""
ROWS = """
return [...document.querySelectorAll("#trials tbody tr")].filter(row => !row.hidden)
  .map(row => [...row.cells].map(cell => cell.textContent))
"""


@pytest.fixture(scope="module")
def window(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    with browser(tmp_path_factory.mktemp("profile")) as opened:
        yield opened


def show(window: Browser, record: StudyRecord, folder: Path, **options: Any) -> None:
    """Open the page of a study in a wide window."""
    look(window, DESKTOP, "light")
    window.open(write_page(record, folder / "report.html", **options).as_uri())


def look(window: Browser, width: int, theme: str, media: str = "screen") -> None:
    size = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": False}
    window.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    feature = {"name": "prefers-color-scheme", "value": theme}
    emulated = {"media": media, "features": [feature]}
    window.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", emulated)


def confirmed(trials: int = 12, *, opened: int = 1, **sections: object) -> StudyRecord:
    study = make_study(trials, **sections)
    return confirmed_study(study, winner=study.best.trial, look=opened)


def rows(window: Browser) -> list[list[str]]:
    return window.driver.execute_script(ROWS)


SEARCH = "chart strengths plane curves search parallel"
CONFIRMED = "chart strengths plane curves costs layers search parallel"
IMPORTANT = dataclasses.replace(make_study(40), importances=IMPORTANCES)
WITH_A_FAILED_ONE = dataclasses.replace(make_study(), trials=(make_trial(0), make_trial(1), FAILED))
SEALED = confirmed(opened=0, sweep={"objective": "val_data_loss"})
ALL_FIXED = make_study(9, lambdas=dict.fromkeys(LAMBDA_NAMES, 1e-3), epochs=1)
MANY = make_study(ALL_SHOWN + 1, epochs=1)
LONG = "a_very_long_name_of_a_parameter"
SIX = {f"{LONG}_{number}": {"low": number, "high": 1_000 * number} for number in range(1, 4)}
OWN = own_study(40, parameters=PARAMETERS | SIX, pruned=range(30, 40), sweep={"pruner": "median"})
OWN = dataclasses.replace(
    OWN, importances=dict.fromkeys(OWN.experiment.searched, 0.06) | {"learning_rate": 0.3}
)


@pytest.mark.parametrize(
    ("record", "figures"),
    [
        pytest.param(IMPORTANT, SEARCH, id="searched"),
        pytest.param(confirmed(), CONFIRMED, id="confirmed"),
        pytest.param(SEALED, CONFIRMED, id="sealed"),
        pytest.param(make_study(1), SEARCH, id="baseline alone"),
        pytest.param(make_study(0), "", id="empty"),
        pytest.param(WITH_A_FAILED_ONE, SEARCH, id="failed trial"),
        pytest.param(ALL_FIXED, "chart strengths curves search parallel", id="all fixed"),
        pytest.param(MANY, SEARCH, id="many"),
        pytest.param(OWN, SEARCH, id="own network"),
    ],
)
def test_every_figure_is_drawn_at_any_width_in_both_themes_and_nobody_is_asked(
    window: Browser, record: StudyRecord, figures: str, tmp_path: Path
) -> None:
    window.driver.get_log("browser")
    window.hosts()
    show(window, record, tmp_path)
    found = window.driver.find_elements("css selector", ".figure")
    wanted = [f"figure-{name}" for name in figures.split()]
    assert [figure.get_attribute("id") for figure in found] == wanted
    inks = set()
    for width, theme in ((DESKTOP, "light"), (PHONE, "light"), (PHONE, "dark")):
        look(window, width, theme)
        assert window.driver.execute_script(WRONG) == []
        assert window.driver.execute_script("return document.documentElement.scrollWidth") <= width
        inks.add(window.driver.execute_script(INK))
    assert len(inks) == 2
    assert window.hosts() == set()
    assert [entry for entry in window.driver.get_log("browser") if entry["level"] == "SEVERE"] == []


def test_it_is_printed_in_light_colours_with_figures_as_wide_as_their_place(
    window: Browser, tmp_path: Path
) -> None:
    show(window, confirmed(), tmp_path)
    look(window, 794, "dark", media="print")
    colour = "return getComputedStyle(document.body).backgroundColor"
    assert window.driver.execute_script(colour) == "rgb(255, 255, 255)"
    assert window.driver.execute_script(WRONG) == []
    # of A4 794 pixels, and two margins of 1 cm
    assert window.driver.execute_script("return document.querySelector('main').scrollWidth") <= 700


def test_each_number_of_the_trials_is_there_once_with_all_digits() -> None:
    record = make_study(30)
    text = render(record).partition('id="trials"')[2]
    for trial in record.trials:
        numbers = [trial.numbers[name] for name in (*METRICS, *LAMBDA_NAMES, "learning_rate")]
        assert [number for number in numbers if number and text.count(repr(number)) != 1] == []


def test_of_an_own_network_what_makes_no_sense_is_left_out() -> None:
    study = confirmed_study(own_study(missing=("regularization_loss",)), look=1)
    page = render(dataclasses.replace(study, unseeded="data_loss 1 and 2 at epoch 1"))
    shown, _, reading = page.partition('<h2 id="reading"')
    assert "network net.py" in shown
    assert not re.search(r">(None|nan|NaN|&lt;NA&gt;)<|\bNone\b", shown)
    for left_out in ("The same network elsewhere", "near zero", "no layer", "regularization"):
        assert left_out not in shown.partition("The answer in detail")[2]
    assert "Two evaluations of trial 0 differ (data_loss 1 and 2 at epoch 1)" in shown
    assert "the same to the last bit" not in reading
    assert "the same to the last bit" in render(study)
    none = confirmed_study(study, winner=study.baseline.trial, look=1)
    assert "no layer" not in render(none)


def test_a_pruned_trial_is_counted_and_is_no_complete_one() -> None:
    study = own_study(6, pruned=(4, 5), sweep={"pruner": "median"})
    page = render(study)
    assert "6 trials, of which 2 were pruned" in page
    crosses = re.findall(r'<use href="#cross" class="pruned"[^>]*data-trial="(\d)"', page)
    assert crosses == ["4", "5"]
    marked = re.findall(r'<use href="#(\w+)"[^>]*data-trial="[45]"', page)
    assert marked == ["cross", "cross"]
    assert not re.search(r'<polyline[^>]*data-trial="[45]"', page)
    found = re.findall(r"<td>([45])</td>\s*<td[^>]*>([^<]*)</td>\s*<td[^>]*>([^<]*)", page)
    values = {str(one.trial): percent(one.val_accuracy, 2) for one in study.trials[4:]}
    assert found == [(trial, "pruned", values[trial]) for trial in "45"]


def test_the_card_comes_first_and_before_a_confirmation_the_command_for_it() -> None:
    record = confirmed()
    made = card(record)
    text = html.unescape(render(record))
    says = f"<strong>{made.title}</strong>{made.says.removeprefix(made.title)}"
    parts = (says, *made.facts, *made.cautions, 'id="strengths"')
    places = [text.index(unbroken(part)) for part in parts]
    assert places == sorted(places)
    settings = text.partition('id="trials"')[0]
    for one in record.verdict.settings:
        assert f">{one.role}</td>" in settings or not one.trial
        assert f'title="{one.setting.learning_rate}"' in settings
    searched = render(make_study(5))
    assert "sweeps confirm digits</code>" in searched
    assert "sweeps run digits --study digits --trials 5</code>" in searched


def test_without_trials_in_both_arms_it_says_what_to_do() -> None:
    alone = html.unescape(render(make_study(1)))
    assert no_verdict(make_study(1)) in alone
    assert "sweeps confirm" not in alone


def mouse(window: Browser) -> Any:
    return needs_module("selenium.webdriver.common.action_chains").ActionChains(window.driver)


def test_a_mark_says_which_trial_it_is(window: Browser, tmp_path: Path) -> None:
    record = make_study(2)
    show(window, record, tmp_path)
    mark = window.driver.find_element("css selector", "#figure-plane [data-trial='1']")
    mouse(window).move_to_element(mark).perform()
    setting = record.trials[1].setting.numbers.items()
    on = [f"{name} {strength(value)}" for name, value in setting if value]
    value = percent(record.value(record.trials[1]), digits=2)
    assert window.texts("#tip") == [f"trial 1: {', '.join(on)}\n{value}"]


def test_the_table_sorts_and_filters(window: Browser, tmp_path: Path) -> None:
    record = make_study(40)
    show(window, record, tmp_path)
    assert [row[0] for row in rows(window)] == [str(trial.trial) for trial in record.ranked]
    field = window.driver.find_element("css selector", "input")
    field.send_keys("weight_l2 > 1e-3, bias_l1 = off")
    kept = [
        one for one in record.ranked if one.lambdas.weight_l2 > 1e-3 and not one.lambdas.bias_l1
    ]
    assert 0 < len(kept) < 40
    assert [row[0] for row in rows(window)] == [str(trial.trial) for trial in kept]
    assert window.texts("#trials .note") == [f"{len(kept)} of 40 trials"]
    buttons = window.driver.find_elements("css selector", "#trials th button")
    button = next(button for button in buttons if button.text == "weight_l2")
    for sign in (1, -1):
        button.click()
        ordered = sorted(kept, key=lambda trial: sign * trial.lambdas.weight_l2)
        assert [row[0] for row in rows(window)] == [str(trial.trial) for trial in ordered]


def test_the_filter_knows_words_and_says_what_it_cannot_understand(
    window: Browser, tmp_path: Path
) -> None:
    record = confirmed()
    verdict = dataclasses.replace(record.verdict, indistinguishable=(record.best.trial, 3, 4))
    show(window, dataclasses.replace(record, verdict=verdict), tmp_path)
    field = window.driver.find_element("css selector", "input")

    def filtered(text: str) -> set[int]:
        field.clear()
        field.send_keys(text)
        return {int(row[0]) for row in rows(window)}

    assert filtered("best") == {record.best.trial}
    assert filtered("Indistinguishable") == {record.best.trial, 3, 4}
    assert filtered("baseline") == {0}
    assert filtered("indistinguishable, TRIAL > 3") == {record.best.trial, 3, 4} - {3}
    good = {trial.trial for trial in record.trials if trial.val_accuracy > 0.5}
    assert filtered("val_accuracy > 50 %") == filtered("val_accuracy > 0.5") == good
    assert filtered("Weight_L1 = OFF") == {
        trial.trial for trial in record.trials if not trial.lambdas.weight_l1
    }
    for text, sentence in (
        ("weihgt > 1", "There is no column weihgt."),
        ("weight_l2 > much", "much is not a number."),
        ("weight_l2 >", "weight_l2 > 1e-3"),
        ("weight_l2", "weight_l2 > 1e-3"),
        ("> 0.5", "weight_l2 > 0.5"),
    ):
        assert len(filtered(text)) == len(record.trials)
        assert sentence in window.texts("#trials .note")[0]


def test_the_keyboard_filters_and_sorts(window: Browser, tmp_path: Path) -> None:
    record = make_study(9)
    show(window, record, tmp_path)
    keys = needs_module("selenium.webdriver.common.keys").Keys
    window.driver.execute_script("document.querySelector('#trials input').focus()")
    send = mouse(window)
    # over the region that scrolls to the first name of a column, and to the next
    send.send_keys("trial > 4", keys.TAB, keys.TAB, keys.ENTER, keys.TAB).perform()
    assert [int(row[0]) for row in rows(window)] == [5, 6, 7, 8]
    assert window.driver.execute_script("return document.activeElement.textContent") == "role"


def test_brushing_an_axis_selects_lines_and_rows(window: Browser, tmp_path: Path) -> None:
    record = make_study(40)
    show(window, record, tmp_path)
    objective = len(record.experiment.searched)
    area = window.driver.find_elements("css selector", "#parallel .area")[objective]
    height = int(area.rect["height"])
    drag = mouse(window).move_to_element_with_offset(area, 0, -height // 2 + 1)
    drag.click_and_hold().move_by_offset(0, height // 2).release().perform()
    script = "return document.querySelectorAll('%s [data-trial]:not(.out)').length"
    lit = window.driver.execute_script(script % "#parallel")
    assert 0 < lit < 40
    for name in ("chart", "plane", "search"):  # the others fade the same trials
        assert window.driver.execute_script(script % f"#figure-{name}") == lit
    brush = window.driver.find_elements("css selector", "#parallel .brush")[objective]
    assert brush.size["height"] == pytest.approx(height / 2, abs=2)
    # the best, as the drag began on top
    assert [row[0] for row in rows(window)] == [str(trial.trial) for trial in record.ranked[:lit]]
    assert window.texts("#parallel .note")[0].startswith(f"{lit} of 40 trials selected")
    window.driver.find_element("css selector", "#parallel button").click()
    assert len(rows(window)) == 40


@pytest.mark.parametrize(
    ("record", "width", "theme"),
    [
        pytest.param(confirmed(5), DESKTOP, "light", id="light"),
        pytest.param(confirmed(5), PHONE, "dark", id="dark"),
        pytest.param(make_study(5), PHONE, "light", id="without a verdict"),
    ],
)
def test_a_checker_of_accessibility_finds_nothing(
    window: Browser, record: StudyRecord, width: int, theme: str, tmp_path: Path
) -> None:
    axe = resources.files(needs_module("axe_core_python")) / "axe.min.js"
    show(window, record, tmp_path, runs={1: "f" * 32}, server="https://host")
    look(window, width, theme)
    window.driver.execute_script(f"{axe.read_text(encoding='utf-8')};{OPEN}")
    assert window.driver.execute_async_script(CHECKED) == []


def test_every_plot_says_its_values_and_every_heading_is_a_link(
    window: Browser, tmp_path: Path
) -> None:
    show(window, confirmed(), tmp_path)
    find = window.driver.find_elements
    labels = [plot.get_attribute("aria-label") for plot in find("css selector", ".plot > svg")]
    assert [label for label in labels if not re.search(r"\. .*\d", label)] == []
    links = [one.get_attribute("href").partition("#")[2] for one in find("css selector", "nav a")]
    headings = [one.get_attribute("id") for one in find("css selector", "main h2")]
    assert links == ["top", *headings]
    assert links[1:] == [
        one.get_attribute("href").partition("#")[2] for one in find("css selector", "h2 a")
    ]


def test_a_run_is_a_link_where_a_server_has_it() -> None:
    record, runs = make_study(3), {0: "a" * 32, 1: "b" * 32}
    text = render(record, runs, "https://host/mlflow")
    assert all(f'href="https://host/mlflow/#/runs/{run}"' in text for run in runs.values())
    text = render(record, runs)
    assert all(f">{run}</td>" in text for run in runs.values())
    assert "sweeps ui digits" in text


def test_it_runs_nothing_that_comes_from_data(window: Browser, tmp_path: Path) -> None:
    owned = "document.title='owned'"
    evil = f'</script><script>{owned}</script><img src=x onerror="{owned}">'
    record = dataclasses.replace(confirmed(5), study=evil, versions={"python": evil})
    for server in (None, f"https://{evil}"):
        show(window, record, tmp_path, runs={0: evil, 1: evil}, server=server)
        assert window.driver.execute_script(WRONG) == []
        assert window.driver.title == f"{evil}: sweep report"
        assert window.driver.find_elements("css selector", "img") == []


@pytest.mark.parametrize(
    ("trials", "most"), [(100, 350_000), (ALL_SHOWN, 1_700_000), (ALL_SHOWN + 1, 1_000_000)]
)
def test_it_stays_small(trials: int, most: int) -> None:
    runs = dict.fromkeys(range(trials), "f" * 32)
    assert len(render(make_study(trials), runs, "http://host").encode()) < most


def test_of_many_trials_the_best_and_the_baseline_are_shown_and_the_others_counted() -> None:
    shown = {trial.trial for trial in Shown(MANY).ranked}
    assert shown == {trial.trial for trial in MANY.ranked[:BEST_SHOWN]} | {MANY.baseline.trial}
    assert f"The other {len(MANY.trials) - len(shown):,} did worse." in render(MANY)


def test_it_ends_with_how_to_read_the_verdict() -> None:
    text = render(confirmed_study(look=1))
    explained = text.partition('<div class="reading">')[2].partition("</div>")[0]
    assert "<strong>Percentage points</strong> are differences" in explained
    assert "<a " not in explained  # a page of the documentation is not beside this one
    assert "How to read the verdict" not in render(make_study(3))


def test_tied_is_an_equal_score_and_indistinguishable_what_seeds_cannot_tell_apart() -> None:
    study = study_with(BETTER, compared(BASELINE, BETTER, 0.1, 0.05, 0.2), indistinguishable=(1, 2))
    shown = Shown(study)
    words = [shown.roles(trial).split(", ") for trial in study.trials]
    assert ["indistinguishable" in some for some in words] == [False, True, True]
    assert not any("tied" in some for some in words)
    alike = [dataclasses.replace(one, metrics=study.trials[0].metrics) for one in study.trials]
    shown = Shown(dataclasses.replace(study, trials=tuple(alike)))
    assert all("tied" in shown.roles(trial) for trial in alike)
