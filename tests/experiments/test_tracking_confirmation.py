"""The confirmation on MLflow: beside the trials and not among them, once each, and on the study's
run what it found.
"""

import dataclasses
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from mlflow import MlflowClient
from mlflow.entities import Metric, Param, Run

from experiments.card import card
from experiments.records import StudyRecord
from experiments.reports import frames
from experiments.reports.markdown import as_markdown
from experiments.tracking import Store, Tracker, choose, runs, view
from experiments.tracking.audit import Children
from experiments.tracking.comparison import NOTE
from experiments.tracking.page import PARENT
from tests.experiments.test_tracking_sync import version
from tests.mlflow_reading import all_runs, everything, study_run, trial_runs
from tests.studies import confirmed_study, make_study

SEALED = confirmed_study()
OPENED = confirmed_study(SEALED, look=1)


def confirm_runs(store: Store, study: StudyRecord) -> dict[str, Run]:
    """The runs of a study's confirmation by their identity; there must be one of each."""
    ours = [run for run in all_runs(store) if run.data.tags["study_uid"] == study.study_uid]
    found = [run for run in ours if run.data.tags["kind"] == "confirm"]
    made = {run.data.tags["confirm"]: run for run in found}
    assert len(made) == len(found)
    return made


@pytest.fixture
def uninterrupted(made: Path, tmp_path: Path) -> Callable[[StudyRecord], list[dict[str, Any]]]:
    """Everything on an MLflow that a study was written to at once."""

    def written(study: StudyRecord) -> list[dict[str, Any]]:
        folder = tmp_path / "uninterrupted"
        folder.mkdir()
        shutil.copy(made, folder)
        store = choose(folder, "digits", environ={})
        Tracker(store, study).sync(study)
        return everything(store)

    return written


def above_confirm_runs(store: Store, study: StudyRecord) -> list[Run]:
    client = MlflowClient(store.uri)
    experiment = client.get_experiment_by_name("digits")
    assert experiment
    of_this = f"tags.kind = 'confirmation' and tags.study_uid = '{study.study_uid}'"
    return list(client.search_runs([experiment.experiment_id], of_this))


def assert_agrees(store: Store, study: StudyRecord) -> None:
    """Every network of the verdict is there once and whole, and the study's run says what the
    verdict says.
    """
    parent, found = study_run(store, study.study_uid), confirm_runs(store, study)
    (above,) = above_confirm_runs(store, study)
    assert PARENT not in above.data.tags  # beside the study's run
    assert above.info.status == "FINISHED"
    assert found.keys() == {one.identity for one in study.confirmed.values()}
    for planned in runs.confirmation(study):
        run = found[planned.key[1]]
        assert run.info.run_name == planned.name
        assert run.data.tags.items() >= {**planned.tags, PARENT: above.info.run_id}.items()
        assert (run.data.params, run.data.metrics) == (planned.params, planned.last)
        assert (run.info.status, run.info.end_time) == ("FINISHED", planned.ended)
    assert study.verdict
    assert parent.data.tags["verdict"] == study.verdict.word
    assert (parent.info.status, parent.info.end_time) == ("FINISHED", runs.study_ended(study))
    audit, networks = Tracker(store, study).audit(study), len(study.confirmed)
    assert audit.study == []
    assert audit.confirmation == Children(
        runs=networks, missing=[], strangers={}, several={}, differing={}
    )


def test_each_network_is_one_finished_run_with_its_numbers(store: Store) -> None:
    assert Tracker(store, OPENED).sync(OPENED) == (3, len(OPENED.confirmed), True)
    assert_agrees(store, OPENED)
    found = confirm_runs(store, OPENED)
    table = frames.confirm(OPENED)
    for one in OPENED.confirmed.values():
        run = found[one.identity]
        same = [
            (row.seed, row.weight_l1, row.weight_l2, row.bias_l1, row.bias_l2)
            for row in table.itertuples()
        ]
        rows = table[[one_row == (one.seed, *one.lambdas.as_tuple()) for one_row in same]]
        assert run.data.tags["roles"].split(",") == list(dict.fromkeys(rows.role))
        assert run.data.params["seed"] == str(one.seed)
        assert (
            float(run.data.params["weight_l2"])
            == run.data.metrics["weight_l2"]
            == one.lambdas.weight_l2
        )
        for name in ("val_accuracy", "val_data_loss", "test_accuracy", "test_data_loss"):
            assert {run.data.metrics[name]} == set(rows[name])
        for name in ("balanced_val_accuracy", "data_loss", "regularization_loss", "train_accuracy"):
            assert run.data.metrics[name] == getattr(one.metrics, name)
        assert (run.data.metrics["seconds"], run.data.metrics["diverged"]) == (one.seconds, 0)
        times = (runs.milliseconds(one.started), runs.milliseconds(one.finished))
        assert (run.info.start_time, run.info.end_time) == times
    ends = {one.finished for one in OPENED.confirmed.values()}
    assert study_run(store, OPENED.study_uid).info.end_time == runs.milliseconds(
        max(ends)
    )  # after the last trial's
    names = {run.info.run_name for run in found.values()}
    assert {
        "confirm-baseline-seed-4268029250",
        "confirm-winner-seed-11",
        "confirm-candidate-00002-seed-11",
    } <= names
    assert len(names) == len(found)


def test_they_are_beside_the_trials_and_not_among_them(store: Store) -> None:
    tracker = Tracker(store, OPENED)
    tracker.sync(OPENED)
    client = MlflowClient(store.uri)
    experiment = client.get_experiment_by_name("digits")
    assert experiment is not None
    shown = client.search_runs(
        [experiment.experiment_id], view.views(OPENED)[0].state["searchFilter"]
    )
    assert {run.info.run_id for run in shown} == set(tracker.run_ids().values())
    assert sorted(tracker.run_ids()) == sorted(trial_runs(store, OPENED.study_uid)) == [0, 1, 2]
    assert tracker.audit(OPENED).trials == Children(
        runs=3, missing=[], strangers={}, several={}, differing={}
    )
    assert tracker.missing(OPENED.trials) == []


def test_a_study_without_a_confirmation_has_none(store: Store) -> None:
    study = make_study(2)
    assert Tracker(store, study).sync(study).confirmation == 0
    assert Tracker(store, study).audit(study).confirmation.runs == 0
    assert not {"verdict", NOTE} & study_run(store, study.study_uid).data.tags.keys()


@st.composite
def left(draw: st.DrawFn) -> dict[str, Any]:
    """Any part of a network's run, and what somebody else did to it."""
    return {
        "network": draw(st.integers(0, 4)),
        "roles": draw(st.booleans()),
        "params": draw(st.integers(0, 5)),
        "points": draw(st.sampled_from([0, 3, 99])),
        "ended": draw(st.booleans()),
        "wrong": draw(st.sampled_from(["", "", "param", "value", "test", "stranger"])),
        "deleted": draw(st.integers(0, 5)) == 0,
    }


@settings(
    max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    parts=st.lists(left(), max_size=4),
    parent=st.sampled_from(["bare", "whole"]),
    above=st.lists(st.booleans(), max_size=2),
    opened=st.booleans(),
)
def test_whatever_is_left_sync_makes_it_the_confirmation_and_then_nothing(
    store: Store, parts: list[dict[str, Any]], parent: str, above: list[bool], opened: bool
) -> None:
    study, client = confirmed_study(look=int(opened)), MlflowClient(store.uri)
    experiment = client.get_experiment_by_name("digits")
    experiment_id = (
        experiment.experiment_id
        if experiment
        else client.create_experiment("digits", store.artifact_location)
    )
    tags = (
        runs.identity(study, "study")
        if parent == "bare"
        else {**runs.study_tags(study), **runs.closing_tags(study)}
    )
    parent_id = client.create_run(experiment_id, tags=tags).info.run_id
    for ended in above:
        parent_id = client.create_run(
            experiment_id, tags=runs.identity(study, "confirmation")
        ).info.run_id
        if ended:
            client.set_terminated(parent_id)
    for part in parts:
        planned = runs.confirmation(study)[part["network"]]
        tags = {**planned.tags, PARENT: parent_id} | (
            {} if part["roles"] else {"roles": "candidate"}
        )
        if part["wrong"] == "stranger":
            tags["confirm"] = "1:0.5:0.5:0.5:0.5"
        params = [Param(*one) for one in planned.params.items()][: part["params"]]
        points = [Metric(*one) for one in planned.points()][: part["points"]]
        if part["wrong"] == "param":
            params = [Param("weight_l1", "0.125")]
        if part["wrong"] in ("value", "test"):
            points.append(
                Metric(
                    "val_accuracy" if part["wrong"] == "value" else "test_accuracy",
                    0.125,
                    planned.ended,
                    1000,
                )
            )
        run_id = client.create_run(experiment_id, planned.started, tags, planned.name).info.run_id
        client.log_batch(run_id, points, params)
        if part["ended"]:
            client.set_terminated(run_id, "FINISHED", planned.ended)
        if part["deleted"]:
            client.delete_run(run_id)

    Tracker(store, study).sync(study)

    found = confirm_runs(store, study)
    assert len(found) == len(study.confirmed)
    tracker = Tracker(store, study)
    audit = tracker.audit(study)
    assert (audit.study, audit.confirmation) == ([], Children(len(study.confirmed), [], {}, {}, {}))
    for planned in runs.confirmation(study):
        run = found[planned.key[1]]
        assert (run.data.params, run.data.metrics, run.info.run_name) == (
            planned.params,
            planned.last,
            planned.name,
        )
    assert store.file
    with closing(sqlite3.connect(store.file)) as watching:
        commits = version(watching)
        assert (any(tracker.sync(study)), tracker.deleted) == (False, 0)
        assert version(watching) == commits  # nothing was written at all


def test_a_later_verdict_leaves_exactly_its_runs(store: Store) -> None:
    later = confirmed_study(OPENED, winner=2, seeds=(11, 12), look=2)
    Tracker(store, OPENED).sync(OPENED)
    before = {one: run.info.run_id for one, run in confirm_runs(store, OPENED).items()}
    tracker = Tracker(store, later)
    tracker.sync(later)
    assert_agrees(store, later)
    after = confirm_runs(store, later)
    kept = before.keys() & after.keys()
    assert kept
    assert all(after[one].info.run_id == before[one] for one in kept)
    assert tracker.deleted == len(before) - len(kept) > 0
    (was_winner,) = [
        one.identity
        for one in OPENED.confirmed.values()
        if (one.lambdas, one.seed) == (OPENED.trials[1].lambdas, 11)
    ]
    assert after[was_winner].data.tags["roles"] == "candidate"
    assert after[was_winner].info.run_name == "confirm-candidate-00001-seed-11"


def test_opening_the_test_set_adds_to_the_runs_that_are_there(
    store: Store, uninterrupted: Callable[[StudyRecord], list[dict[str, Any]]]
) -> None:
    Tracker(store, SEALED).sync(SEALED)
    before = confirm_runs(store, SEALED)
    assert not any("test" in name for run in before.values() for name in run.data.metrics)
    assert Tracker(store, OPENED).sync(OPENED) == (0, len(before), True)
    after = confirm_runs(store, OPENED)
    assert {one: run.info.run_id for one, run in after.items()} == {
        one: run.info.run_id for one, run in before.items()
    }
    assert all(
        {"test_accuracy", "balanced_test_accuracy", "test_data_loss"} <= run.data.metrics.keys()
        for run in after.values()
    )
    assert everything(store) == uninterrupted(OPENED)


def test_a_sealed_verdict_shows_no_test_score_of_an_earlier_one(store: Store) -> None:
    Tracker(store, OPENED).sync(OPENED)
    sealed = dataclasses.replace(OPENED, verdict=SEALED.verdict)
    Tracker(store, sealed).sync(sealed)
    assert_agrees(store, sealed)
    assert not any(
        "test" in name for run in confirm_runs(store, sealed).values() for name in run.data.metrics
    )


def test_a_name_of_somebody_elses_stays(store: Store) -> None:
    Tracker(store, OPENED).sync(OPENED)
    run = next(iter(confirm_runs(store, OPENED).values()))
    MlflowClient(store.uri).update_run(run.info.run_id, name="the one for Monday")
    assert Tracker(store, OPENED).audit(OPENED).confirmation.differing == {}
    assert not any(Tracker(store, OPENED).sync(OPENED))
    assert MlflowClient(store.uri).get_run(run.info.run_id).info.run_name == "the one for Monday"


def test_the_studys_run_says_what_the_verdict_says(store: Store) -> None:
    Tracker(store, SEALED).sync(SEALED)
    run = study_run(store, SEALED.study_uid)
    assert (run.data.tags["verdict"], run.data.metrics) == ("sealed", {})
    Tracker(store, OPENED).sync(OPENED)
    run, row = study_run(store, OPENED.study_uid), frames.summary(OPENED).iloc[0]
    assert run.data.tags["verdict"] == row["verdict"]
    assert run.data.metrics == {
        name: row[name] for name in ("gain", "gain_low", "gain_high", "test_accuracy")
    }


def test_of_several_looks_the_last_one_is_shown_whatever_somebody_added(store: Store) -> None:
    later, client = confirmed_study(OPENED, look=2), MlflowClient(store.uri)
    Tracker(store, OPENED).sync(OPENED)
    run_id = study_run(store, OPENED.study_uid).info.run_id
    client.log_metric(run_id, "test_accuracy", 0.125, step=7)
    (phrase,) = Tracker(store, OPENED).audit(OPENED).study
    assert phrase.startswith("test_accuracy is 0.125, not ")
    Tracker(store, later).sync(later)
    assert_agrees(store, later)
    assert study_run(store, later.study_uid).info.run_id == run_id
    assert (
        study_run(store, later.study_uid).data.metrics["test_accuracy"]
        == frames.summary(later).test_accuracy[0]
    )
    assert [point.step for point in client.get_metric_history(run_id, "gain")] == [1, 2]
    assert not any(Tracker(store, later).sync(later))


def test_the_card_is_the_note_of_the_studys_run_and_what_people_write_stays(store: Store) -> None:
    client = MlflowClient(store.uri)
    Tracker(store, SEALED).sync(SEALED)
    run_id = study_run(store, SEALED.study_uid).info.run_id

    def note() -> str:
        return str(client.get_run(run_id).data.tags[NOTE])

    def text(study: StudyRecord) -> str:
        made = card(study)
        assert made
        return as_markdown(made)

    assert note().startswith(text(SEALED))
    client.set_tag(run_id, NOTE, f"{note()}\n\nAsk Ada about the seeds.")
    assert Tracker(store, SEALED).audit(SEALED).study == []
    assert not any(Tracker(store, SEALED).sync(SEALED))  # an edit is no difference
    Tracker(store, OPENED).sync(OPENED)
    assert note().startswith(text(OPENED))
    assert note().endswith("Ask Ada about the seeds.")
    assert text(SEALED) not in note()

    client.set_tag(run_id, NOTE, "Mine alone.")
    later = confirmed_study(OPENED, look=2)
    Tracker(store, later).sync(later)
    assert (note().startswith(text(later)), note().endswith("Mine alone.")) == (True, True)

    client.delete_tag(run_id, NOTE)
    assert Tracker(store, later).audit(later).study == ["no note"]
    assert Tracker(store, later).sync(later) == (0, 0, True)
    assert note().startswith(text(later))

    long = "x" * 4_900
    client.set_tag(run_id, NOTE, long)
    Tracker(store, OPENED).sync(OPENED)
    assert note() == long  # there is no room for both, and a person's words are not ours to cut


def test_every_difference_is_listed(store: Store) -> None:
    Tracker(store, OPENED).sync(OPENED)
    client, found = MlflowClient(store.uri), confirm_runs(store, OPENED)
    first, second, third, fourth, *_ = runs.confirmation(OPENED)
    ids = {one.name: found[one.key[1]].info.run_id for one in (first, second, third, fourth)}
    client.delete_run(ids[first.name])
    client.log_metric(ids[second.name], "val_accuracy", 0.25, step=99)
    client.set_tag(ids[third.name], "roles", "loser")
    run = found[fourth.key[1]]
    double = client.create_run(run.info.experiment_id, tags=dict(run.data.tags)).info.run_id
    stray = client.create_run(
        run.info.experiment_id, tags={**run.data.tags, "confirm": "1:0.5:0.5:0.5:0.5"}
    ).info.run_id
    client.set_tag(study_run(store, OPENED.study_uid).info.run_id, "verdict", "worse")
    tracker = Tracker(store, OPENED)
    audit = tracker.audit(OPENED)
    assert audit.study == ["verdict is worse, not better"]
    assert audit.confirmation == Children(
        runs=len(OPENED.confirmed) + 1,
        missing=[first.name],
        strangers={"1:0.5:0.5:0.5:0.5": [stray]},
        several={fourth.name: sorted([ids[fourth.name], double])},
        differing={
            second.name: [f"val_accuracy is 0.25, not {second.measured['val_accuracy']}"],
            third.name: [f"roles is loser, not {third.tags['roles']}"],
        },
    )
    assert tracker.sync(OPENED) == (0, 3, True)
    assert_agrees(store, OPENED)
