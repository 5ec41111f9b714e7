"""MLflow's faults: its file locked by another process, its disk full, its process stopped. Nothing
waits, nothing is lost.
"""

import contextlib
import os
import pickle
import resource
import signal
import sqlite3
import subprocess
import sys
import time
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest
from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore

from experiments.errors import TrackingError
from experiments.tracking import Store, Tracker, TrackerProcess, Writer, choose, process
from tests.mlflow_reading import trial_runs
from tests.processes import spawned
from tests.studies import make_study

STUDY = make_study(6)
LONGEST = 10.0  # seconds: the promise
HOLD = """
import sqlite3, sys
connection = sqlite3.connect(sys.argv[1], isolation_level=None)
connection.execute("BEGIN EXCLUSIVE")
print("locked", flush=True)
sys.stdin.read()
"""


@contextlib.contextmanager
def locked(store: Store) -> Iterator[None]:
    """Another process that has the database for itself."""
    command = [sys.executable, "-c", HOLD, str(store.file)]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as holder:
        assert holder.stdin
        assert holder.stdout
        assert holder.stdout.readline() == "locked\n"
        yield
        holder.stdin.close()


def seconds(call: Callable[[], object]) -> float:
    """How long a call takes that must fail because the database is locked."""
    before = time.monotonic()
    with pytest.raises(TrackingError, match=r"database is locked.*sweeps sync"):
        call()
    return time.monotonic() - before


def test_a_locked_database_is_not_waited_for_long(store: Store) -> None:
    """In the mode that MLflow itself makes a reader waits as well; in ours a writer alone."""
    Tracker(store, STUDY).sync(STUDY)
    later = make_study(1)
    with locked(store):
        assert Tracker(store, STUDY).missing(STUDY.trials) == []  # WAL: a reader does not wait
        assert seconds(lambda: Tracker(store, later).sync(later)) < LONGEST
    assert store.file
    SqlAlchemyStore(
        store.uri, str(store.artifacts)
    ).engine.dispose()  # the mode cannot be changed while others are connected
    with closing(sqlite3.connect(store.file)) as connection:
        assert connection.execute("PRAGMA journal_mode = DELETE").fetchone() == ("delete",)
    with locked(store):
        assert seconds(Tracker(store, STUDY).read) < LONGEST
    assert Tracker(store, later).sync(later).trials == 1


def test_what_a_lock_kept_waiting_is_written_after_it(store: Store) -> None:
    with locked(
        store
    ):  # first: the writer's thread changes the environment while it starts its process
        writer = Writer(TrackerProcess(store, STUDY))
        for trial in STUDY.trials:
            writer.put(trial)
        while writer.error is None:
            time.sleep(0.02)  # the writer has no event for it
        assert "database is locked" in str(writer.error)
    outcome = writer.close()
    assert (len(outcome.runs), outcome.unwritten, outcome.error, outcome.interrupted) == (
        6,
        (),
        None,
        True,
    )
    assert Tracker(store, STUDY).missing(STUDY.trials) == []


@contextlib.contextmanager
def no_file_larger_than(size: int) -> Iterator[None]:
    """For the processes that are started inside: a write beyond fails, as on a disk that is full."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_a_full_disk_is_said_and_what_is_missing_is_written_when_there_is_room(
    store: Store,
) -> None:
    study = make_study(40, epochs=30)
    assert store.file
    tracker = TrackerProcess(store, study)
    with no_file_larger_than(300_000):  # of the write-ahead log: some runs have room
        tracker.open()
    with pytest.raises(TrackingError, match=r"cannot be used \(.*disk.*sweeps sync"):
        deque(map(tracker.write, study.trials))
    tracker.close()
    there = Tracker(store, study)
    missing = there.missing(study.trials)
    assert 0 < len(missing) < 40
    assert there.sync(study).trials == len(missing)
    assert sorted(trial_runs(store, study.study_uid)) == list(range(40))
    audit = there.audit(study)
    assert (audit.study, audit.trials.several, audit.trials.differing) == ([], {}, {})


@pytest.fixture
def opening() -> Iterator[Callable[[TrackerProcess], Future[None]]]:
    """Has a tracker opened by another thread, as the writer does."""
    with ThreadPoolExecutor(1) as thread:
        yield lambda tracker: thread.submit(tracker.open)


def test_a_tracker_process_that_dies_while_it_starts_is_an_error(
    store: Store, opening: Callable[[TrackerProcess], Future[None]]
) -> None:
    study = make_study(300)
    assert (
        len(pickle.dumps(study)) > 2**17
    )  # more than a pipe takes at once: told at the start, it would be waited for forever
    tracker, others = TrackerProcess(store, study), spawned()
    opened = opening(tracker)
    while not (children := [child for child in spawned() if child not in others]):
        time.sleep(0.001)  # a start has no event
    children[0].kill()
    with pytest.raises(TrackingError, match=r"ended; .*sweeps sync"):
        opened.result(60)
    tracker.open()
    tracker.close()


def test_a_tracker_process_that_is_ended_while_it_makes_the_database_leaves_nothing(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    opening: Callable[[TrackerProcess], Future[None]],
) -> None:
    home, elsewhere = tmp_path / "home", tmp_path / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.setenv("TMPDIR", str(elsewhere))
    tracker = TrackerProcess(choose(home, "digits", environ={}), STUDY)
    opened = opening(tracker)
    while not (opened.done() or list(elsewhere.glob("*/mlflow.db"))):
        time.sleep(0.001)  # it takes a second from here
    with ThreadPoolExecutor(4) as threads:  # the writer's own ends it too, when it gets no answer
        assert not any(threads.map(lambda _: tracker.close(), range(4)))
    with pytest.raises(TrackingError, match="sweeps sync"):
        opened.result(60)
    assert list(home.iterdir()) == []
    with pytest.raises(TrackingError, match="nothing more is written"):
        tracker.open()


def test_a_tracker_process_that_is_stopped_is_given_up_and_replaced(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    tracker = TrackerProcess(store, STUDY)
    tracker.open()
    assert tracker.write(STUDY.trials[0]).new
    first = tracker._process
    assert first
    os.kill(first.pid, signal.SIGSTOP)
    monkeypatch.setattr(process, "SLOWEST_CALL", 0.5)
    before = time.monotonic()
    with pytest.raises(TrackingError, match=r"did not answer within 0.5 s; .*sweeps sync"):
        tracker.write(STUDY.trials[1])
    assert time.monotonic() - before < LONGEST
    assert not first.alive
    monkeypatch.undo()
    assert tracker.write(STUDY.trials[1]).new
    tracker.close()


def test_a_run_that_was_made_after_nobody_waited_for_it_is_deleted_at_the_end(
    store: Store, tmp_path: Path
) -> None:
    """As a server leaves it that was silent and then goes on: the request whose answer nobody read
    is carried out late.
    """
    tracker, late = Tracker(store, STUDY), Tracker(store, STUDY)
    late.read()
    for trial in STUDY.trials:
        tracker.write(trial)
    late.write(STUDY.trials[3])
    tracker.read()
    assert list(tracker.audit(STUDY).trials.several) == [3]
    tracker.finish(STUDY, tidy=True)
    assert sorted(trial_runs(store, STUDY.study_uid)) == [0, 1, 2, 3, 4, 5]
    assert tracker.audit(STUDY).study == []
