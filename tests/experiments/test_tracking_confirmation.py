"""The confirmation on MLflow: beside the trials and not among them, once each, and on the study's
run what it found.
"""

import dataclasses
import json
import statistics
from collections.abc import Callable
from typing import Any

from mlflow import MlflowClient

from experiments.card import card
from experiments.records import StudyRecord
from experiments.reports import frames
from experiments.reports.markdown import BELOW, as_markdown
from experiments.tracking import Store, SyncedRuns, Tracker, sync_runs, view
from experiments.tracking.plan import milliseconds, setting_plans
from experiments.tracking.runs import NOTE
from experiments.tracking.sync import Problem
from nnreg import LAMBDA_NAMES
from tests.experiments.test_tracking_sync import NOTHING, assert_agrees, audited, synced
from tests.mlflow_reading import everything, runs_of, study_run, trial_runs
from tests.studies import confirmed_study, make_study

SEALED = confirmed_study()
OPENED = confirmed_study(SEALED, look=1)
SETTINGS = len(setting_plans(OPENED))


def test_each_setting_is_one_finished_run_with_the_numbers_of_its_networks(store: Store) -> None:
    assert synced(store, OPENED) == SyncedRuns(3, SETTINGS, deleted=0, study=True)
    assert_agrees(store, OPENED)
    found = runs_of(store, OPENED.study_uid, "confirm")
    assert len(found) == len(OPENED.confirmed) == SETTINGS
    table, client = frames.confirm(OPENED), MlflowClient(store.uri)
    for run in found.values():
        roles = run.data.tags["roles"].split(",")
        rows = table[table.role == roles[0]]
        for name in (*LAMBDA_NAMES, "learning_rate"):
            assert {float(run.data.params[name]), run.data.metrics[name]} == set(rows[name])
        for name in ("val_accuracy", "val_data_loss", "test_accuracy", "test_data_loss"):
            *values, mean = [one.value for one in client.get_metric_history(run.info.run_id, name)]
            assert values == list(rows[name])
            assert run.data.metrics[name] == mean == statistics.fmean(values)
        assert {run.data.metrics["best_epoch"]} == set(rows.best_epoch)
        assert run.data.params["seeds"] == ",".join(map(str, rows.seed))
        assert run.data.metrics["seconds"] == 0.25 * len(rows)
    ends = [
        one.finished for networks in OPENED.confirmed.values() for one in networks
    ]  # after the last trial's
    assert study_run(store, OPENED.study_uid).info.end_time == milliseconds(max(ends))
    names = {run.info.run_name for run in found.values()}
    assert names >= {"confirm-winner", "confirm-candidate-00002", "confirm-baseline"}
    assert len(names) == len(found)


def test_they_are_beside_the_trials_and_not_among_them(store: Store) -> None:
    tracker, client = Tracker(store, OPENED), MlflowClient(store.uri)
    sync_runs(tracker, OPENED)
    experiment = client.get_experiment_by_name("digits")
    assert experiment
    kept = json.loads(experiment.tags[view.TAG + OPENED.study_uid])
    query = json.loads(kept["state"])["searchFilter"]
    shown = client.search_runs([experiment.experiment_id], query)
    assert {run.info.run_id for run in shown} == set(tracker.run_ids().values())
    assert sorted(tracker.run_ids()) == sorted(trial_runs(store, OPENED.study_uid)) == [0, 1, 2]


def test_a_later_verdict_leaves_exactly_its_runs(store: Store) -> None:
    later = confirmed_study(OPENED, winner=2, look=2)
    synced(store, OPENED)
    before = runs_of(store, OPENED.study_uid, "confirm")
    synced(store, later)
    assert_agrees(store, later)
    after = runs_of(store, later.study_uid, "confirm")
    keys = {one.name: one.key[1] for one in setting_plans(OPENED)}
    same, changed = keys["confirm-baseline"], keys["confirm-winner"]
    assert before[same].info.run_id == after[same].info.run_id
    assert before[changed].info.run_id != after[changed].info.run_id
    assert after[changed].data.tags["roles"] == "candidate"
    assert after[changed].info.run_name == "confirm-candidate-00001"


def test_the_study_shows_test_scores_while_the_verdict_has_them(
    store: Store, uninterrupted: Callable[[StudyRecord], list[dict[str, Any]]]
) -> None:
    def is_tested() -> set[bool]:
        found = runs_of(store, SEALED.study_uid, "confirm").values()
        return {"test_accuracy" in run.data.metrics for run in found}

    synced(store, SEALED)
    run = study_run(store, SEALED.study_uid)
    assert (run.data.tags["verdict"], run.data.metrics, is_tested()) == ("sealed", {}, {False})
    assert synced(store, OPENED) == SyncedRuns(0, SETTINGS, deleted=SETTINGS, study=True)
    assert is_tested() == {True}
    run, row = study_run(store, OPENED.study_uid), frames.summary(OPENED).iloc[0]
    assert run.data.tags["verdict"] == row["verdict"]
    answer = {name: row[name] for name in ("gain", "gain_low", "gain_high", "test_accuracy")}
    assert run.data.metrics == answer
    assert everything(store) == uninterrupted(OPENED)
    synced(store, dataclasses.replace(OPENED, verdict=SEALED.verdict))
    assert is_tested() == {False}


def test_of_several_looks_the_last_one_is_shown(store: Store) -> None:
    later, client = confirmed_study(OPENED, look=2), MlflowClient(store.uri)
    synced(store, OPENED)
    run_id = study_run(store, OPENED.study_uid).info.run_id
    synced(store, later)
    assert_agrees(store, later)
    run = study_run(store, later.study_uid)
    assert run.info.run_id == run_id
    assert run.data.metrics["test_accuracy"] == frames.summary(later).test_accuracy[0]
    assert [point.step for point in client.get_metric_history(run_id, "gain")] == [1, 2]


def test_the_card_is_the_note_of_the_studys_run_and_what_people_write_stays(store: Store) -> None:
    client = MlflowClient(store.uri)
    synced(store, SEALED)
    run_id = study_run(store, SEALED.study_uid).info.run_id

    def note() -> str:
        return str(client.get_run(run_id).data.tags[NOTE])

    def text(study: StudyRecord) -> str:
        made = card(study)
        assert made
        return as_markdown(made)

    assert note().startswith(text(SEALED))
    client.set_tag(run_id, NOTE, f"{note()}\n\nAsk Ada about the seeds.")
    client.update_run(run_id, name="the one for Monday")
    assert synced(store, SEALED) == NOTHING  # an edit is no difference, nor is a name
    assert client.get_run(run_id).info.run_name == "the one for Monday"
    synced(store, OPENED)
    assert note().startswith(text(OPENED))
    assert note().endswith("Ask Ada about the seeds.")
    assert text(SEALED) not in note()

    client.set_tag(run_id, NOTE, "Mine alone.")
    later = confirmed_study(OPENED, look=2)
    synced(store, later)
    assert (note().startswith(text(later)), note().endswith("Mine alone.")) == (True, True)

    client.delete_tag(run_id, NOTE)
    (problem,) = audited(store, later).problems
    assert problem.differing == (f"tag {NOTE}",)
    assert synced(store, later) == SyncedRuns(0, 0, 0, study=True)
    assert note().startswith(text(later))

    client.set_tag(run_id, NOTE, "x" * 4_900)
    synced(store, confirmed_study(OPENED, look=3))
    assert note() == "x" * 4_900  # no room for both, and a person's words are not ours to cut


def test_the_experiment_is_described_by_the_answers_of_its_studies(store: Store) -> None:
    client = MlflowClient(store.uri)

    def description() -> list[str]:
        experiment = client.get_experiment_by_name("digits")
        assert experiment
        return experiment.tags.get(NOTE, "").split("\n\n")

    def answer(study: StudyRecord) -> str:
        made = card(study)
        assert made
        return made.says

    synced(store, make_study(3, name="searched"))
    assert description() == [""]  # there is no verdict yet
    synced(store, OPENED)
    assert description() == [answer(OPENED), BELOW]
    experiment_id = study_run(store, OPENED.study_uid).info.experiment_id
    client.set_experiment_tag(experiment_id, NOTE, "\n\n".join([*description(), "Ask Ada."]))
    second = confirmed_study(make_study(3, name="second"), look=3)
    synced(store, second)
    told = {f"{one.study}: {answer(one)}" for one in (OPENED, second)}
    *answers, below, own = description()
    assert (set(answers), below, own) == (told, BELOW, "Ask Ada.")


def test_every_difference_is_listed(store: Store) -> None:
    synced(store, OPENED)
    client, found = MlflowClient(store.uri), runs_of(store, OPENED.study_uid, "confirm")
    plans = setting_plans(OPENED)[:4]
    names, ids = [one.name for one in plans], [found[one.key[1]].info.run_id for one in plans]
    client.delete_run(ids[0])
    client.log_metric(ids[1], "val_accuracy", 0.25, step=999)
    client.set_tag(ids[2], "roles", "loser")
    run = found[plans[3].key[1]]
    double = client.create_run(run.info.experiment_id, tags=dict(run.data.tags)).info.run_id
    tags = {**run.data.tags, "confirm": "0.5:0.5:0.5:0.5:0.01:7"}
    stray = client.create_run(run.info.experiment_id, tags=tags).info.run_id
    study_id = study_run(store, OPENED.study_uid).info.run_id
    client.set_tag(study_id, "verdict", "worse")
    audit = audited(store, OPENED)
    assert audit.runs["confirm"] == SETTINGS + 1
    assert set(audit.problems) == {
        Problem("study", "digits", (study_id,), ("tag verdict",)),
        Problem("confirm", names[0], ()),
        Problem("confirm", names[1], (ids[1],), ("metric val_accuracy",)),
        Problem("confirm", names[2], (ids[2],), ("tag roles",)),
        Problem("confirm", names[3], tuple(sorted([ids[3], double]))),
        Problem("confirm", "0.5:0.5:0.5:0.5:0.01:7", (stray,), planned=False),
    }
    assert synced(store, OPENED) == SyncedRuns(0, 3, deleted=4, study=True)
    assert_agrees(store, OPENED)
