"""Writing behind the search, from a process of its own: it never waits, and what could not be
written is said. Real databases, servers, sockets and signals.
"""

import contextlib
import dataclasses
import os
import resource
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import time
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest

from experiments.errors import TrackingError
from experiments.records import StudyRecord
from experiments.tracking import (
    Runs,
    Store,
    Tracker,
    TrackerProcess,
    Writer,
    audit_runs,
    choose,
    database,
    process,
    sync_runs,
)
from experiments.tracking.client import SETTINGS
from experiments.tracking.plan import trial_plan
from experiments.tracking.runs import RunPlan, RunState
from experiments.worker import TRIES
from tests.mlflow_reading import trial_runs
from tests.processes import spawned
from tests.servers import free_port
from tests.studies import make_study

STUDY = make_study(6)
BEGUN = dataclasses.replace(STUDY, trials=())
HOST = "127.0.0.1"
LONGEST = 10.0  # seconds: the promise
PROGRAM = """
import os, sys
before = dict(os.environ)
from pathlib import Path
from experiments.tracking import Tracker, TrackerProcess, choose
from tests.studies import make_study
with TrackerProcess(choose(Path(sys.argv[1]), "digits", environ={}), make_study(1)) as tracker:
    tracker.call(Tracker.run_ids)
assert dict(os.environ) == before, set(os.environ) - set(before)
assert "mlflow" not in sys.modules
"""


def plan(number: int) -> RunPlan:
    return trial_plan(STUDY, STUDY.trials[number])


def writing(tracker: Tracker | TrackerProcess, study: StudyRecord = STUDY) -> Writer:
    """A writer that was given all trials of a study."""
    writer = Writer(tracker)
    for trial in study.trials:
        writer.put(trial)
    return writer


def wait_for(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)  # the writer has no event for everything that a test asks for


@contextlib.contextmanager
def locked(store: Store) -> Iterator[None]:
    """Somebody else has the database for himself."""
    with closing(sqlite3.connect(str(store.file), isolation_level=None)) as holder:
        holder.execute("BEGIN EXCLUSIVE")
        yield


def test_a_process_writes_the_same_and_ends_with_all_in_one_file(
    store: Store, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    with TrackerProcess(store, BEGUN) as tracker:
        assert Writer(tracker).close() == Runs()
        depths: list[int] = []
        writer = writing(tracker)
        outcome = writer.close(observe=depths.append)
        assert (len(outcome.ids), outcome.error) == (6, None)
        assert (writer.depth, depths) == (0, sorted(depths, reverse=True))
        (tmp_path / "trials.csv").write_text("x")
        tracker.call(Tracker.log_file, tmp_path / "trials.csv")
        tracker.call(Tracker.finish, STUDY)
        # With an answer unread, the other end sees "connection reset by peer".
        tracker._connection.send((Tracker.run_ids,))
        assert tracker._connection.poll(60)
    (tmp_path / "copied").mkdir()
    shutil.copy(tmp_path / "mlflow.db", tmp_path / "copied")  # and not the log beside it
    copied = Tracker(choose(tmp_path / "copied", "digits", environ={}), STUDY)
    assert outcome.ids == copied.run_ids()
    assert not sync_runs(Tracker(store, STUDY), STUDY)
    assert capfd.readouterr() == ("", "")  # neither a traceback nor MLflow's chatter


def test_a_database_that_was_deleted_is_not_made_again_at_the_end(store: Store) -> None:
    assert store.file
    tracker = Tracker(store, STUDY)
    store.file.unlink()
    tracker.close()
    assert not store.file.exists()


@pytest.mark.parametrize("answer", ["refused", "silent"])
def test_the_search_does_not_wait_for_an_mlflow_that_is_gone(
    answer: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_TIMEOUT", "1")  # 5 where the user does not say
    with socket.create_server((HOST, 0)) as listening:
        port = listening.getsockname()[1] if answer == "silent" else free_port()
        store = choose(tmp_path, "digits", uri=f"http://{HOST}:{port}", environ={})
        before = time.monotonic()
        writer = writing(Tracker(store, BEGUN))
        assert time.monotonic() - before < 0.5
        wait_for(lambda: writer.error)
        outcome = writer.close()
        assert time.monotonic() - before < LONGEST
    assert outcome.ids == {}
    assert f"MLflow at {store.uri} does not answer" in str(outcome.error)
    assert writer.depth == 6


class Faulty(Tracker):
    """A server that does not want one of the runs, or a mistake in the program."""

    fault: Exception = TrackingError("not this one")

    def find(self, plan: RunPlan) -> tuple[RunState | None, list[str]]:
        if plan.name == "trial-00000":
            raise self.fault
        return super().find(plan)


def test_one_trial_that_cannot_be_written_does_not_keep_the_others_waiting(store: Store) -> None:
    writer = writing(Faulty(store, BEGUN))
    wait_for(lambda: writer.depth == 1)
    outcome = writer.close()
    assert (sorted(outcome.ids), str(outcome.error)) == ([1, 2, 3, 4, 5], "not this one")


class Unheard(Tracker):
    """MLflow makes the first run, and its answer is lost."""

    lost = False

    def _create(self, plan: RunPlan) -> str:
        run_id = super()._create(plan)
        if not self.lost:
            self.lost = True
            raise ConnectionResetError
        return run_id


def test_a_run_whose_answer_was_lost_is_found_and_not_made_twice(store: Store) -> None:
    writer = writing(Unheard(store, BEGUN))
    wait_for(lambda: writer.depth == 0)
    there = trial_runs(store, STUDY.study_uid)  # each once
    assert {number: run.info.run_id for number, run in there.items()} == writer.close().ids


def test_a_mistake_of_the_program_is_raised_and_not_swallowed(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Faulty, "fault", ZeroDivisionError())
    with pytest.raises(ZeroDivisionError):
        writing(Faulty(store, BEGUN)).close()


def test_an_abandoned_writer_leaves_no_half_written_run_and_the_rest_to_sync(store: Store) -> None:
    study = make_study(200)
    writer = writing(Tracker(store, study), study)
    wait_for(lambda: writer.depth < 200)
    writer.abandon()
    left = writer.depth
    tracker = Tracker(store, study)
    missing = audit_runs(tracker, study).missing("trial")
    assert 0 < len(missing) < 200
    assert len(tracker.run_ids()) == 200 - len(missing)
    assert sync_runs(tracker, study).trials == len(missing)
    assert left - writer.depth <= 1  # the run that was being written


def test_a_locked_database_is_not_waited_for_and_written_later(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert database.LONGEST_LOCK < LONGEST
    monkeypatch.setattr(database, "LONGEST_LOCK", 0.2)
    sync_runs(Tracker(store, STUDY), STUDY)
    later = make_study(6)
    with locked(store):
        # In a write-ahead log a reader does not wait.
        assert audit_runs(Tracker(store, STUDY), STUDY).problems == ()
        writer = writing(Tracker(store, dataclasses.replace(later, trials=())), later)
        wait_for(lambda: writer.error)
        assert "database is locked" in str(writer.error)
        assert "sweeps sync" in str(writer.error)
    assert len(writer.close().ids) == 6


def test_a_reader_that_a_lock_stops_is_given_up(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In the mode that MLflow itself makes, where it waits for 20 s."""
    assert store.file
    with closing(sqlite3.connect(store.file)) as connection:
        assert connection.execute("PRAGMA journal_mode = DELETE").fetchone() == ("delete",)
    monkeypatch.setattr(database, "LONGEST_LOCK", 0.2)
    with locked(store), pytest.raises(TrackingError, match=r"database is locked.*sweeps sync"):
        Tracker(store, STUDY).open()


@contextlib.contextmanager
def no_file_larger_than(size: int) -> Iterator[None]:
    """For processes that are started inside: a write beyond fails, as on a full disk."""
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
    with TrackerProcess(store, study) as tracker:
        with no_file_larger_than(300_000):  # of the write-ahead log: some runs have room
            tracker.open()
        with pytest.raises(TrackingError, match=r"cannot be used \(.*disk.*sweeps sync"):
            deque(tracker.call(Tracker.write, trial_plan(study, trial)) for trial in study.trials)
    there = Tracker(store, study)
    missing = audit_runs(there, study).missing("trial")
    assert 0 < len(missing) < 40
    assert sync_runs(there, study).trials == len(missing)
    assert sorted(trial_runs(store, study.study_uid)) == list(range(40))
    assert audit_runs(there, study).problems == ()


def test_a_process_that_is_stopped_or_killed_is_given_up_and_replaced(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert process.LONGEST_CALL + process.LONGEST_END < LONGEST
    with TrackerProcess(store, BEGUN) as tracker:
        assert tracker.call(Tracker.write, plan(0)).new
        first = tracker._process
        assert first
        os.kill(first.pid, signal.SIGSTOP)
        monkeypatch.setattr(process, "LONGEST_CALL", 0.5)
        before = time.monotonic()
        with pytest.raises(TrackingError, match=r"did not answer within 0.5 s; .*sweeps sync"):
            tracker.call(Tracker.write, plan(1))
        assert time.monotonic() - before < LONGEST
        assert not first.alive
        monkeypatch.undo()
        assert not tracker.call(Tracker.write, plan(0)).new


def die(tracker: Tracker, wanted: RunPlan, deaths: Path, most: int) -> str:
    """Be killed after writing a run, so many times."""
    written = tracker.write(wanted).run_id
    if len(number := deaths.read_text()) < most:
        deaths.write_text(f"{number}x")
        os.kill(os.getpid(), signal.SIGKILL)
    return written


def test_a_process_that_dies_is_started_again_and_its_call_is_carried_out_once(
    store: Store, tmp_path: Path
) -> None:
    (deaths := tmp_path / "deaths").touch()
    with TrackerProcess(store, BEGUN) as tracker:
        run_id = tracker.call(die, plan(0), deaths, 2)
        (run,) = trial_runs(store, STUDY.study_uid).values()
        assert run.info.run_id == run_id
        surplus = tracker.call(Tracker.surplus, BEGUN)
        tracker.call(Tracker.delete, surplus[0])
        tracker.call(Tracker.delete, surplus[0])  # as if it died before it answered
        with pytest.raises(TrackingError, match=r"ended; .*sweeps sync"):
            tracker.call(die, plan(0), deaths, 99)
    assert len(deaths.read_text()) == 2 + TRIES


@pytest.mark.parametrize("moved", ["file", "folder"])
def test_a_database_that_is_moved_away_is_made_again_and_its_folder_is_not(
    made: Path, tmp_path: Path, moved: str
) -> None:
    home, away = tmp_path / "home", tmp_path / "away"
    home.mkdir()
    store = choose(home, "digits", environ={})
    shutil.copy(made, home)
    with TrackerProcess(store, BEGUN) as tracker:
        tracker.call(Tracker.write, plan(0))
        (home if moved == "folder" else home / "mlflow.db").rename(away)
        if moved == "folder":
            with pytest.raises(TrackingError, match="No such file or directory"):
                tracker.call(Tracker.write, plan(1))
            assert not home.exists()
        else:
            assert tracker.call(Tracker.write, plan(1)).new
            assert list(trial_runs(store, STUDY.study_uid)) == [1]


def test_a_process_that_is_ended_while_it_makes_the_database_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home, elsewhere = tmp_path / "home", tmp_path / "elsewhere"
    home.mkdir()
    elsewhere.mkdir()
    monkeypatch.setenv("TMPDIR", str(elsewhere))
    tracker, others = TrackerProcess(choose(home, "digits", environ={}), STUDY), spawned()
    with ThreadPoolExecutor(4) as threads:
        wrote = threads.submit(tracker.call, Tracker.write, plan(0))
        wait_for(lambda: wrote.done() or list(elsewhere.glob("*/made.db")))
        # The writer's own thread ends it too, when it gets no answer.
        assert not any(threads.map(lambda _: tracker.close(), range(3)))
        with pytest.raises(TrackingError, match="sweeps sync"):
            wrote.result(60)
    assert [path for path in home.rglob("*") if path.is_file()] == []
    assert set(spawned()) <= set(others)
    with pytest.raises(TrackingError, match="was ended"):
        tracker.open()


def test_the_users_own_mlflow_keeps_its_limits(store: Store) -> None:
    """Nothing is set in this process's environment, and MLflow is not even imported."""
    assert store.file
    kept = {name: value for name, value in os.environ.items() if name not in SETTINGS}
    command = [sys.executable, "-c", PROGRAM, str(store.file.parent)]
    subprocess.run(command, check=True, env=kept)


def test_a_user_whom_the_system_does_not_know_has_runs(store: Store) -> None:
    """Without a home directory either, which MLflow and its server look for."""
    assert store.file
    someone = ["unshare", "--user", "--map-user=12345", "--map-group=12345"]
    if not shutil.which("unshare") or subprocess.run([*someone, "true"], check=False).returncode:
        pytest.skip("no user namespace can be made here")
    kept = {name: value for name, value in os.environ.items() if name not in (*SETTINGS, "HOME")}
    server = ["-P", "-m", "sweeps.cli.server_process", "--version"]
    for words in (["-c", PROGRAM, str(store.file.parent)], server):
        command = [*someone, sys.executable, *words]
        pipe = subprocess.PIPE  # the server kills its group when this is closed
        with subprocess.Popen(command, env=kept, stdin=pipe, start_new_session=True) as process:
            assert process.wait(60) == 0


def test_an_mlflow_that_cannot_be_loaded_says_why(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "mlflow").mkdir()
    (tmp_path / "mlflow" / "__init__.py").write_text("raise ImportError('no room to map it')")
    monkeypatch.syspath_prepend(tmp_path)
    with TrackerProcess(store, STUDY) as tracker:
        for _ in range(2):
            with pytest.raises(TrackingError, match=r"cannot be loaded \(no room to map it\); "):
                tracker.call(Tracker.run_ids)
