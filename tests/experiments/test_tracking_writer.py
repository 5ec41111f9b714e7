"""Writing behind the search: it never waits, and what could not be written is said. Real databases,
servers and sockets.
"""

import os
import shutil
import socket
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from experiments.errors import TrackingError
from experiments.records import TrialRecord
from experiments.tracking import Store, Tracker, TrackerProcess, Writer, choose
from experiments.tracking.client import load
from experiments.tracking.tracker import Written
from sweeps.cli.server import HOST, serving
from tests.mlflow_reading import trial_runs
from tests.servers import free_port
from tests.studies import make_study

STUDY = make_study(6)
PATIENCE = 60.0


def wait_for(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)  # the writer has no event for everything that a test asks for


@pytest.fixture
def silent() -> Iterator[str]:
    """The address of a server that takes calls and says nothing."""
    with socket.create_server((HOST, 0)) as listening:
        yield f"http://{HOST}:{listening.getsockname()[1]}"


def test_all_that_was_put_is_written_at_the_end(store: Store) -> None:
    writer, depths = Writer(Tracker(store, STUDY)), []
    for trial in STUDY.trials:
        writer.put(trial)
    outcome = writer.close(observe=depths.append)
    assert (len(outcome.runs), outcome.unwritten, outcome.error) == (6, (), None)
    assert sorted(trial_runs(store, STUDY.study_uid)) == [0, 1, 2, 3, 4, 5]
    assert writer.depth == 0
    assert depths == sorted(depths, reverse=True)


def test_without_a_trial_it_just_ends(store: Store) -> None:
    assert Writer(Tracker(store, STUDY)).close().runs == {}


@pytest.mark.parametrize("answer", ["refused", "silent"])
def test_the_search_does_not_wait_for_an_mlflow_that_is_gone(
    answer: str, silent: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_TIMEOUT", "1")  # 5 where the user does not say
    uri = silent if answer == "silent" else f"http://{HOST}:9"
    writer = Writer(Tracker(choose(tmp_path, "digits", uri=uri, environ={}), STUDY))
    before = time.monotonic()
    for trial in STUDY.trials:
        writer.put(trial)
    assert time.monotonic() - before < 0.5
    wait_for(lambda: writer.error)
    outcome = writer.close()
    assert time.monotonic() - before < 10  # the promise: nothing hangs for more than 10 s
    assert outcome.unwritten == (0, 1, 2, 3, 4, 5)
    assert outcome.error is not None
    assert uri in str(outcome.error)
    assert writer.depth == 6


def test_limits_are_short_unless_the_user_says_otherwise(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_TIMEOUT", "90")
    monkeypatch.delenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", raising=False)
    load()
    assert (
        os.environ["MLFLOW_HTTP_REQUEST_TIMEOUT"],
        os.environ["MLFLOW_HTTP_REQUEST_MAX_RETRIES"],
    ) == ("90", "0")


def test_what_waited_is_written_when_the_server_is_there(store: Store, tmp_path: Path) -> None:
    port = free_port()
    writer = Writer(
        Tracker(choose(tmp_path, "digits", uri=f"http://{HOST}:{port}", environ={}), STUDY)
    )
    for trial in STUDY.trials[:3]:
        writer.put(trial)
    wait_for(lambda: writer.error)
    with serving(store, port=port):
        for trial in STUDY.trials[3:]:
            writer.put(trial)
        outcome = writer.close()
    assert (len(outcome.runs), outcome.unwritten, outcome.error) == (6, (), None)
    assert sorted(trial_runs(store, STUDY.study_uid)) == [0, 1, 2, 3, 4, 5]


def test_what_does_not_fit_is_left_out_and_said(
    silent: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_TIMEOUT", "1")
    writer = Writer(Tracker(choose(tmp_path, "digits", uri=silent, environ={}), STUDY), capacity=2)
    for trial in STUDY.trials:
        writer.put(trial)
    assert writer.depth == 2
    assert writer.close().unwritten == (0, 1, 2, 3, 4, 5)


class OneIsRefused(Tracker):
    """As where a server does not want one of the runs."""

    def write(self, trial: TrialRecord) -> Written:
        if trial.trial == 0:
            raise TrackingError("not this one")
        return super().write(trial)


def test_one_trial_that_cannot_be_written_does_not_keep_the_others_waiting(store: Store) -> None:
    writer = Writer(OneIsRefused(store, STUDY))
    for trial in STUDY.trials:
        writer.put(trial)
    wait_for(lambda: writer.depth == 1)
    outcome = writer.close()
    assert (len(outcome.runs), outcome.unwritten, str(outcome.error)) == (5, (0,), "not this one")


class Broken(Tracker):
    """As where there is a mistake in the program."""

    def write(self, trial: TrialRecord) -> Written:
        return Written(str(1 / trial.trial), new=True)


def test_a_mistake_of_the_program_is_raised_and_not_swallowed(store: Store) -> None:
    writer = Writer(Broken(store, STUDY))
    writer.put(STUDY.trials[0])
    with pytest.raises(ZeroDivisionError):
        writer.close()


def test_an_abandoned_writer_leaves_no_half_written_run_and_the_rest_to_sync(store: Store) -> None:
    study = make_study(200)
    writer = Writer(Tracker(store, study))
    for trial in study.trials:
        writer.put(trial)
    wait_for(lambda: writer.depth < 200)
    writer.abandon()
    tracker = Tracker(store, study)
    missing = tracker.missing(study.trials)
    assert 0 < len(missing) < 200
    assert len(tracker.run_ids()) == 200 - len(missing)
    assert tracker.sync(study).trials == len(missing)


def test_a_tracker_in_a_process_of_its_own_writes_the_same(store: Store, tmp_path: Path) -> None:
    trackers = [TrackerProcess(store, STUDY) for _ in range(2)]
    writer = Writer(*trackers)
    for trial in STUDY.trials:
        writer.put(trial)
    outcome = writer.close()
    (tmp_path / "reports").mkdir()
    (tmp_path / "reports" / "trials.csv").write_text("x")
    trackers[0].log_file(tmp_path / "reports" / "trials.csv")
    trackers[0].finish(STUDY)
    for tracker in trackers:
        tracker.close()
    assert outcome.runs == Tracker(store, STUDY).run_ids()
    assert Tracker(store, STUDY).sync(STUDY).trials == 0


def test_the_database_is_whole_in_its_one_file_when_the_process_has_ended(tmp_path: Path) -> None:
    """As for who copies it. One that was deleted meanwhile is not made again."""
    for name in ("kept", "deleted"):
        store = choose(tmp_path / name, "digits", environ={})
        assert store.file
        tracker = TrackerProcess(store, STUDY)
        for trial in STUDY.trials:
            tracker.write(trial)
        if name == "deleted":
            store.file.unlink()
        tracker.close()
    assert not store.file.exists()
    (tmp_path / "copied").mkdir()
    shutil.copy(tmp_path / "kept" / "mlflow.db", tmp_path / "copied")
    copied = choose(tmp_path / "copied", "digits", environ={})
    assert sorted(trial_runs(copied, STUDY.study_uid)) == list(range(6))


def test_what_a_deleted_database_has_left_does_not_spoil_the_next(tmp_path: Path) -> None:
    """The write-ahead log of a process that was killed, when the one file was deleted to have it
    made again.
    """
    store, study = (
        choose(tmp_path, "digits", environ={}),
        make_study(100),
    )  # so many that SQLite begins its log again
    tracker = TrackerProcess(store, study)
    for trial in study.trials:
        tracker.write(trial)
    assert tracker._process
    assert store.file
    tracker._process.kill()
    tracker.close()
    assert (tmp_path / "mlflow.db-wal").stat().st_size > 0
    store.file.unlink()
    assert Tracker(store, study).sync(study).trials == len(study.trials)
    with closing(sqlite3.connect(store.file)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    assert sorted(path.name for path in tmp_path.iterdir() if path.is_file()) == [
        "mlflow.db",
        "mlflow.db-shm",
        "mlflow.db-wal",
    ]


def test_a_tracker_process_that_dies_costs_one_error_and_no_trial(store: Store) -> None:
    tracker = TrackerProcess(store, STUDY)
    tracker.write(STUDY.trials[0])
    process = tracker._process
    assert process
    process.kill()
    with pytest.raises(TrackingError, match="sweeps sync"):
        tracker.write(STUDY.trials[1])
    assert tracker.write(STUDY.trials[1]).new
    tracker.close()
    assert Tracker(store, STUDY).missing(STUDY.trials) == [2, 3, 4, 5]


def test_an_answer_that_nobody_reads_is_no_error(
    store: Store, capfd: pytest.CaptureFixture[str]
) -> None:
    tracker = TrackerProcess(store, STUDY)
    tracker.open()
    process, connection = tracker._process, tracker._connection
    assert process
    connection.send(("write", (STUDY.trials[0],), {}))
    assert connection.poll(60)
    tracker.close()  # with the answer unread, the other end sees "connection reset by peer"
    assert process.end() == 0
    assert "Traceback" not in capfd.readouterr().err
