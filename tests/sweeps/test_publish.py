"""The end of a sweep on MLflow: what a verdict leaves there is what a later one leaves alone.
Records made without training.
"""

import dataclasses
import os
import shutil
from pathlib import Path

import pandas as pd
import pytest

from experiments.errors import DatabaseError
from experiments.records import StudyRecord
from experiments.reports import Format, files
from experiments.tracking import Runs, Tracker, audit_runs, sync_runs
from experiments.tracking.database import checkpoint
from experiments.tracking.plan import setting_plans, trial_plan
from sweeps import publish
from sweeps.workspace import Workspace, workspace
from tests.mlflow_reading import everything, study_run, trial_runs
from tests.studies import confirmed_study, make_study


def swept(place: Workspace, study: StudyRecord) -> list[int]:
    """Write a sweep's end; return how many confirmation runs waited, again and again."""
    waiting, tracker = list[int](), Tracker(place.store("digits"), study)
    ids = {trial.trial: tracker.write(trial_plan(study, trial)).run_id for trial in study.trials}
    place.reports_of(study.study).mkdir(parents=True, exist_ok=True)
    (place.reports_of(study.study) / "model.npz").write_bytes(b"of the confirmation")
    found, _ = publish.write_all(place, study, tracker, Runs(ids), waiting.append)
    assert (found.ids, found.error, found.unconfirmed) == (ids, None, 0)
    return waiting


def test_a_later_verdict_leaves_what_it_would_have_left_alone(tmp_path: Path, made: Path) -> None:
    first = confirmed_study()
    later = confirmed_study(first, winner=2, seeds=(11, 12), look=1)
    place, alone = workspace(tmp_path / "both"), workspace(tmp_path / "alone")
    for each in (place, alone):
        each.directory.mkdir()
        shutil.copy(made, each.directory)
    settings, store = len(setting_plans(first)), place.store("digits")
    assert swept(place, first) == list(range(settings, -1, -1))
    run_id = study_run(store, first.study_uid).info.run_id
    swept(place, later)
    swept(alone, later)
    assert everything(store) == everything(alone.store("digits"))
    assert study_run(store, first.study_uid).info.run_id == run_id
    tracker = Tracker(store, later)
    assert audit_runs(tracker, later).problems == ()
    assert {"model.npz", "confirm.csv", "report.html"} < tracker.kept().keys()
    assert not sync_runs(tracker, later)
    before, after = ({plan.key for plan in setting_plans(study)} for study in (first, later))
    assert before - after  # some had to go


@pytest.mark.parametrize("damage", ["older", "older in place", "cut"])
def test_runs_that_are_gone_at_the_end_are_written_again_or_said(
    tmp_path: Path, made: Path, damage: str
) -> None:
    study, place, older = make_study(12), workspace(tmp_path), tmp_path / "older.db"
    database = Path(shutil.copy(made, tmp_path))
    with place.tracker(study) as tracker:
        ids = {}
        for trial in study.trials:
            ids[trial.trial] = tracker.call(Tracker.write, trial_plan(study, trial)).run_id
            if trial.trial == 6:
                checkpoint(database)
                shutil.copyfile(database, older)
        checkpoint(database)
        tracker.call(Tracker.run_ids)
        if damage == "older":
            older.rename(database)
        elif damage == "older in place":
            shutil.copyfile(older, database)
        else:
            os.truncate(database, 200_000)
        runs, _ = publish.write_all(place, study, tracker, Runs(ids), lambda depth: None)
    if damage == "cut":
        assert isinstance(runs.error, DatabaseError)
        return
    there = trial_runs(place.store("digits"), study.study_uid)
    assert runs.error is None
    assert runs.ids == {number: run.info.run_id for number, run in there.items()}
    assert len(there) == 12


def test_the_page_links_to_a_server_without_its_password_and_to_no_database(tmp_path: Path) -> None:
    study, run, server = confirmed_study(), "f" * 32, "http://127.0.0.1:1/mlflow"
    for uri in ("http://me:s3cret@127.0.0.1:1/mlflow", None):
        place = workspace(tmp_path, tracking_uri=uri)
        page = publish.write_reports(place, study, Runs({1: run}))[-1]
        text = page.read_text(encoding="utf-8")
        assert (server in text) == bool(uri)
        assert (run in text, "s3cret" in text) == (True, False)


def test_tables_in_another_format_do_not_fall_behind(tmp_path: Path) -> None:
    study, place, runs = make_study(3), workspace(tmp_path), Runs({})
    earlier = dataclasses.replace(study, trials=study.trials[:2])
    files.export(earlier, place.reports_of(study.study), {}, [Format.parquet])
    publish.write_reports(place, study, runs)
    assert len(pd.read_parquet(place.reports_of(study.study) / "trials.parquet")) == 3
    publish.write_reports(place, dataclasses.replace(study, study="other"), runs)
    assert not list(place.reports_of("other").glob("*.parquet"))
