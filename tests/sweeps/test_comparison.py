"""The tables of real studies, which follow from trials.csv and confirm.csv, and studies side by
side.
"""

import dataclasses
import html
import re
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import sweeps
from experiments.errors import InputError
from experiments.reports import frames
from experiments.reports.snippets import unbroken
from nnreg import LAMBDA_NAMES
from tests.commands import sweeps as command

NO_TRACKER = "http://127.0.0.1:9"
EDITS = ("training.epochs=3", "sweep.baseline=3", "confirm.top=2", "confirm.seeds=2")
SETTING = [*LAMBDA_NAMES, "learning_rate"]
STUDIES = {
    "plain": (),
    "balanced": ("sweep.objective=balanced_val_accuracy",),
    "loss": ("sweep.objective=val_data_loss",),
    "small": ("model.hidden=[4]", "confirm.references=false"),
    "divided": ("data.split.seed=1", "confirm.references=false"),
}
pytestmark = pytest.mark.usefixtures("tracker_here")


def swept(folder: Path, name: str, *edits: str, **options: Any) -> None:
    asked = {"trials": 14, "workers": 1, "directory": folder, "tracking_uri": NO_TRACKER}
    sweeps.run("wine", study=name, edits=[*EDITS, *edits], **asked | options)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Studies of wine, all but one with the same test rows; elsewhere one without a verdict."""
    folder = tmp_path_factory.mktemp("studies")
    for name, edits in STUDIES.items():
        swept(folder, name, *edits)
    swept(folder / "elsewhere", "open", confirm=False)
    return folder


def read(folder: Path, study: str, table: str) -> pd.DataFrame:
    return pd.read_csv(folder / "reports" / study / f"{table}.csv")


@pytest.fixture(params=["plain", "balanced", "loss"])
def study(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def objective(folder: Path, study: str) -> tuple[str, bool]:
    """The objective, and whether less of it is better."""
    name = str(read(folder, study, "summary").objective[0])
    return name, name == "val_data_loss"


def test_settings_follow_from_confirm(folder: Path, study: str) -> None:
    name, _ = objective(folder, study)
    networks = read(folder, study, "confirm")
    networks = networks[networks.best_epoch.notna()]  # not the references
    per_setting = networks.groupby(["role", *SETTING, "best_epoch"], sort=False)[name]
    expected = per_setting.agg(n="size", mean="mean", sd="std").reset_index()
    settings = read(folder, study, "settings")
    pd.testing.assert_frame_equal(settings[list(expected)], expected, check_dtype=False)
    baseline = settings[settings.role == "baseline"].iloc[0]
    is_baseline = (settings[SETTING] == baseline[SETTING]).all(axis=1)
    assert list(settings.difference.isna()) == list(is_baseline)
    others = settings[~is_baseline]
    gaps = others["mean"] - baseline["mean"]  # of scores that are kept in single precision
    assert list(others.difference) == pytest.approx(list(gaps), abs=1e-6)
    assert (others.difference_low < others.difference).all()
    assert (others.difference < others.difference_high).all()
    assert set(others.level) == {0.95}


def test_top_follows_from_trials_and_settings(folder: Path, study: str) -> None:
    name, less_is_better = objective(folder, study)
    trials, top = read(folder, study, "trials"), read(folder, study, "top")
    on = (trials[list(LAMBDA_NAMES)] > 0).sum(axis=1)
    order = trials.assign(on=on, value=trials[name]).sort_values(
        ["value", "val_data_loss", "on", "trial"], ascending=[less_is_better, True, True, True]
    )
    best = order[:10].reset_index()
    for column in ("trial", *SETTING, "value"):
        assert list(top[column]) == list(best[column])
    assert list(top["rank"]) == list(range(1, 11))
    baseline = order[order.arm == "baseline"].iloc[0]
    assert list(top.difference) == list(best.value - baseline.value)
    fresh = read(folder, study, "settings").drop_duplicates("trial").set_index("trial")
    expected = fresh.reindex(top.trial)[["mean", "sd"]].reset_index(drop=True)
    pd.testing.assert_frame_equal(top[["mean", "sd"]], expected)
    assert 0 < top["mean"].notna().sum() < 10


def test_ranges_follow_from_trials(folder: Path, study: str) -> None:
    name, less_is_better = objective(folder, study)
    trials, ranges = read(folder, study, "trials"), read(folder, study, "ranges")
    for row in ranges.to_dict("records"):
        strengths = trials[row["lambda"]]
        inside = (strengths >= row["low"]) & (strengths < row["high"])
        found = trials[inside if row["high"] else strengths == 0][name]
        best = found.min() if less_is_better else found.max()
        expected = [len(found), found.mean(), best]
        assert [row["n"], row["mean"], row["best"]] == pytest.approx(expected, nan_ok=True)
    assert (ranges.groupby("lambda").n.sum() == len(trials)).all()


def test_python_has_the_same_tables(folder: Path) -> None:
    sweep = sweeps.confirm("plain", directory=folder, tracking_uri=NO_TRACKER)
    for name in ("top", "ranges", "settings"):
        frame = read(folder, "plain", name)
        pd.testing.assert_frame_equal(frame, getattr(sweep, name), check_dtype=False)


def test_a_notebook_shows_the_card(folder: Path) -> None:
    sweep = sweeps.confirm("plain", directory=folder, tracking_uri=NO_TRACKER)
    shown, made = sweep._repr_html_(), sweep.card
    assert made
    text = html.unescape(re.sub("<[^>]+>", "", shown))
    for sentence in (made.says, *made.facts, *made.cautions):
        assert unbroken(sentence) in text
    assert re.findall("<(?:style|script)|style=", shown) == []  # a notebook has its own
    record = dataclasses.replace(sweep.record, verdict=None, study="<i>")
    shown = dataclasses.replace(sweep, record=record)._repr_html_()
    assert "sweeps confirm &#39;&lt;i&gt;&#39; --directory" in shown
    assert repr(sweep) == f"<Sweep plain: 14 trials, verdict: {made.word}>"


def test_studies_side_by_side(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By name, by path, as a sweep, in a directory; with what summary.csv has of each."""
    monkeypatch.chdir(folder)
    sweep = sweeps.confirm("plain", tracking_uri=NO_TRACKER)
    table = sweeps.compare(sweep, "small", Path("studies/small.journal"), "elsewhere/open")
    assert list(table) == list(frames.COMPARISON)
    assert {name: str(dtype) for name, dtype in table.dtypes.items()} == frames.COMPARISON
    assert list(table.study) == ["plain", "small", "small", "open"]
    assert list(table.network) == ["64", "4", "4", "64"]
    assert list(table.test_rows) == [36] * 4
    for row in table[:3].to_dict("records"):
        (summary,) = read(folder, row["study"], "summary").to_dict("records")
        for name in table.columns.intersection(list(summary)):
            assert row[name] == summary[name]
    last = table.iloc[3]
    assert last.test_digest == ""
    assert last[["verdict", "gain", "recommended_weight_l1", "openings"]].isna().all()
    others = sweeps.compare("elsewhere", "open", directory="elsewhere")
    assert list(others.storage) == ["elsewhere/studies/open.journal"] * 2
    stored = sweeps.compare("plain", "elsewhere/open", storage="studies/plain.journal")
    assert list(stored.study) == ["plain", "open"]


def test_every_way_to_print_them(folder: Path) -> None:
    asked = ("compare", "plain", "small", "elsewhere/open")
    lines = command(*asked, cwd=folder).stdout.splitlines()
    assert [line.split()[0] for line in lines] == ["study", "plain", "small", "open"]
    assert "none yet" in lines[-1]
    csv = command(*asked, "--format", "csv", cwd=folder).stdout
    assert csv.splitlines()[0] == ",".join(frames.COMPARISON)
    rows = command(*asked, "--format", "markdown", cwd=folder).stdout.splitlines()
    assert [row.count(" | ") for row in rows] == [5] * 5


@pytest.mark.parametrize(
    ("asked", "says"),
    [
        ((), "no study to compare; give two or more"),
        (("plain",), "1 study to compare"),
        (("plain", "smal"), "study smal: there is no study of this name"),
        (("plain", "elsewhere/opne"), "did you mean 'open'"),
        (("plain", "nowhere/open"), "nowhere: there is no study yet"),
        (("plain", "nowhere.journal"), "nowhere.journal: there is no study yet"),
        ((".", "plain"), "there are 5 studies; name one of"),
        (("plain", "divided"), "study divided was tested on other rows than plain, so"),
        (("plain", "loss"), "study loss is judged by val_data_loss, plain by val_accuracy, so"),
        (("plain", "small", "--format", "pdf"), "'pdf' is not one of"),
    ],
)
def test_what_cannot_be_compared_is_refused(
    folder: Path, asked: tuple[str, ...], says: str
) -> None:
    done = command("compare", *asked, cwd=folder, status=2)
    assert (done.stdout, done.stderr.count("\n")) == ("", 1)
    assert says in done.stderr


def test_unless_it_is_asked_for(folder: Path) -> None:
    done = command("compare", "plain", "loss", "--allow-different", cwd=folder)
    assert len(done.stdout.splitlines()) == 3
    assert "cannot be compared: study loss is judged by val_data_loss" in done.stderr
    with pytest.raises(InputError, match="other rows"):
        sweeps.compare("plain", "divided", directory=folder)
    assert len(sweeps.compare("plain", "divided", directory=folder, allow_different=True)) == 2


def test_the_page_of_a_comparison_is_whole(folder: Path) -> None:
    page = command("compare", "plain", "elsewhere/open", "--format", "html", cwd=folder).stdout
    assert len(page) < 50_000
    assert re.findall(r"<(?:script|link|img)|url\(", page) == []
    assert page.count("<tr>") == 3
    assert "none yet" in page
