"""A database that is gone for a while, at any instant: a pause, no trial lost, none twice, no claim
lost.
"""

import contextlib
import os
import pickle
import select
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import sqlalchemy

import sweeps
from experiments import experiment_file
from experiments.errors import StorageError
from experiments.records import TrialRecord
from sweeps.progress import Progress
from sweeps.search.study import Study, open_study
from sweeps.storage import database, database_lock, hang_up, open_storage
from sweeps.storage.retry import Outage, Patience
from tests.postgres import Postgres, running_postgres
from tests.sweeps.test_same_table import tables
from tests.sweeps.test_study import grow, table

NO_TRACKER = "http://127.0.0.1:9"  # refuses at once; MLflow is not what is tested here
EDITS = ["training.epochs=2", "sweep.generation=4", "sweep.sampler=random"]
TRIALS = 12


@pytest.fixture(scope="module")
def postgres() -> Iterator[Postgres]:
    with running_postgres() as server:
        yield server


@pytest.fixture
def name(request: pytest.FixtureRequest) -> str:
    return str(request.node.name)[:60]


class Wire:
    """A wire to a PostgreSQL, by a port of this machine, which is cut at some of the commits:
    before one arrives, or before its answer does.
    """

    def __init__(self, server: Postgres) -> None:
        self._server, self._listener = server, socket.create_server(("127.0.0.1", 0))
        self.url = (
            f"postgresql+psycopg://postgres@127.0.0.1:{self._listener.getsockname()[1]}/postgres"
        )
        self.cuts: Callable[[int], bool] = lambda number: False
        self.commits, self.arrives = 0, True
        threading.Thread(target=self._listen, daemon=True).start()

    def _listen(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                near, _ = self._listener.accept()
                threading.Thread(target=self._carry, args=(near,), daemon=True).start()

    def _carry(self, near: socket.socket) -> None:
        with near, socket.socket(socket.AF_UNIX) as far, contextlib.suppress(OSError):
            far.connect(str(self._server.socket))
            while True:
                ready, _, _ = select.select([near, far], [], [])
                for one, other in ((far, near), (near, far)):
                    data = one.recv(1 << 20) if one in ready else None
                    if data == b"":
                        return
                    if one is near and data and b"COMMIT" in data and self._cut():
                        if self.arrives:
                            far.sendall(data)
                            far.recv(1 << 20)  # its answer
                        return
                    other.sendall(data or b"")

    def _cut(self) -> bool:
        self.commits += 1
        return self.cuts(self.commits)

    def close(self) -> None:
        self._listener.close()


@pytest.fixture
def wire(postgres: Postgres) -> Iterator[Wire]:
    wire = Wire(postgres)
    yield wire
    wire.close()


def opened(url: str, name: str, patience: Patience) -> Study:
    return open_study(
        open_storage(url, patience=patience), url, name, experiment_file.load("iris", EDITS)
    )


def impatient(seconds: float = 20) -> Patience:
    """Asks again at once: the server is there."""
    return Patience(seconds, sleep=lambda seconds: None)


@pytest.mark.parametrize("arrives", [True, False])
def test_a_connection_that_is_lost_at_a_commit_writes_nothing_twice(
    wire: Wire, arrives: bool, tmp_path: Path
) -> None:
    """Each commit of a study is cut in one of three rounds, opening and verdict included."""
    journal = str(tmp_path / "s.journal")
    whole = open_study(open_storage(journal), journal, "s", experiment_file.load("iris", EDITS))
    grow(whole, 6)
    wire.arrives = arrives
    for turn in range(3):
        storage = open_storage(wire.url, patience=impatient())
        wire.commits, wire.cuts = 0, lambda number, turn=turn: number % 3 == turn
        name = f"cut {arrives} {turn}"
        study = open_study(storage, wire.url, name, experiment_file.load("iris", EDITS))
        grow(study, 6)
        study.keep("verdict", {"turn": turn})
        wire.cuts = lambda number: False
        assert wire.commits >= 12
        assert table(study) == table(whole)
        assert [trial.number for trial in study.optuna.trials] == list(range(6))
        assert study.optuna.user_attrs["verdict"] == {"turn": turn}
        study.close()


class Heard(Progress):
    """Keeps what is noted; has something done after a trial, and when the confirmation begins."""

    def __init__(self, events: dict[int | str, Callable[[], object]] | None = None) -> None:
        super().__init__()
        self.events, self.notes = events or {}, list[str]()

    def note(self, sentence: str) -> None:
        self.notes.append(sentence)

    def add(self, trial: TrialRecord) -> None:
        self.events.get(trial.trial, list)()

    def confirming(self, trained: int, networks: int) -> None:
        self.events.pop("confirming", list)()


def away(server: Postgres, mode: str, seconds: float = 1.5) -> None:
    """Stop the server, and have it back a while later."""
    server.stop(mode)
    threading.Timer(seconds, server.start).start()


def test_a_restart_costs_a_pause(postgres: Postgres, name: str, tmp_path: Path) -> None:
    def run(folder: str, storage: str | None, progress: Progress) -> dict[str, bytes]:
        sweep = sweeps.run(
            "iris", trials=TRIALS, edits=[*EDITS, "confirm.seeds=2", "confirm.top=1"], workers=1, directory=tmp_path / folder,
            study=name, storage=storage, tracking_uri=NO_TRACKER, progress=progress,
        )  # fmt: skip
        assert sweep.verdict
        reports = tmp_path / folder / "reports" / name
        return tables(tmp_path / folder, name) | {"confirm": (reports / "confirm.csv").read_bytes()}

    heard = Heard(
        {5: lambda: away(postgres, "fast"), "confirming": lambda: away(postgres, "immediate")}
    )
    assert run("restarted", postgres.url, heard) == run("whole", None, Heard())
    gone, back = (
        f"storage {postgres.url.replace('postgres:@', 'postgres:***@')} does not answer (",
        "the database answers again",
    )
    assert [note.startswith(gone) or note == back for note in heard.notes] == [True] * 4, (
        heard.notes
    )
    assert heard.notes[1::2] == [back, back]
    assert heard.notes[0].endswith("); trying again for 2 minutes")


def test_patience_ends(postgres: Postgres, name: str) -> None:
    study = opened(postgres.url, name, Patience(0.3))
    grow(study, 2)
    try:
        postgres.stop("fast")
        with pytest.raises(
            StorageError, match=r"does not answer \(.*\); start it, .*: what was recorded is kept$"
        ):
            grow(study, 3)
        with pytest.raises(Outage):
            study.optuna.get_trials()
    finally:
        postgres.start()
    grow(study, 3)
    assert len(study.optuna.trials) == 3
    study.close()


def test_another_process_gets_the_study(postgres: Postgres, name: str) -> None:
    study = opened(postgres.url, name, Patience(0.3))
    grow(study, 2)
    sent = pickle.loads(pickle.dumps(study.optuna))
    assert table(study) == [(trial.params, trial.value, trial.user_attrs) for trial in sent.trials]
    sent._storage._backend.engine.dispose()
    study.close()


def test_patience_begins_with_the_outage() -> None:
    """A driver that was stopped in the middle of a transaction wakes up after longer than that."""
    attempts: list[str] = []

    def ask() -> int:
        attempts.append("asked")
        if len(attempts) == 1:
            time.sleep(0.3)  # what is tested is time
            raise Outage("gone")
        return len(attempts)

    assert Patience(0.2)(ask) == 2


def test_a_pause_ends_with_ctrl_c(postgres: Postgres, name: str, tmp_path: Path) -> None:
    command = [
        str(Path(sys.executable).with_name("sweeps")), "run", "iris", "--study", name, "--trials=100000", "--workers=1",
        "--storage", postgres.url, "--tracking-uri", NO_TRACKER, *(f"--set={edit}" for edit in EDITS),
    ]  # fmt: skip
    with subprocess.Popen(
        command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stderr
        try:
            assert "trials" in process.stderr.readline()
            postgres.stop("fast")
            while "does not answer" not in (line := process.stderr.readline()):
                assert line
            process.send_signal(signal.SIGINT)
            start = time.monotonic()
            _, error = process.communicate(timeout=60)
            seconds = time.monotonic() - start
        finally:
            process.kill()
            postgres.start()
    assert process.returncode == 130
    assert "what was recorded is kept" in error
    assert seconds < 3 * 3  # the promise is 3 s, of a machine that does nothing else


def test_a_database_that_was_put_back_is_told(postgres: Postgres, name: str) -> None:
    study = opened(postgres.url, name, impatient())
    grow(study, 3)
    assert isinstance(study.storage, database.Database)
    with study.storage.engine.begin() as connection:
        last = study.optuna.trials[-1]._trial_id
        for child in (
            "values",
            "params",
            "user_attributes",
            "system_attributes",
            "intermediate_values",
        ):
            connection.execute(
                sqlalchemy.text(f"DELETE FROM trial_{child} WHERE trial_id = {last}")
            )
        connection.execute(sqlalchemy.text(f"DELETE FROM trials WHERE trial_id = {last}"))
    with pytest.raises(StorageError, match="was put back to an earlier state"):
        grow(study, 4)
    study.close()
    again = opened(postgres.url, name, impatient())
    assert again.finished == 2
    grow(again, 4)
    again.close()


def test_a_transaction_that_was_left_open_is_ended(
    postgres: Postgres, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By a host that was cut off: nobody else could write the study for hours."""
    monkeypatch.setattr(database, "IDLE", 300)
    study = opened(postgres.url, name, impatient())
    row = sqlalchemy.text("SELECT * FROM studies WHERE study_name = :name FOR UPDATE")
    storage = open_storage(postgres.url)
    assert isinstance(storage, database.Database)
    with contextlib.suppress(Outage), storage.engine.begin() as left_open:
        left_open.execute(row, {"name": name})
        grow(study, 1)  # waits for it
    hang_up(storage)
    assert len(study.optuna.trials) == 1
    study.close()


CHALLENGER = """
import sys
from experiments import experiment_file
from sweeps.storage import database_lock
from sweeps.workspace import workspace
database_lock.SILENCE, database_lock.BEAT = 1.0, 5.0
place, definition = workspace(sys.argv[1], sys.argv[2]), experiment_file.load("iris", sys.argv[4:])
place.studies()  # all is imported
print("ready", flush=True)
sys.stdin.readline()
place.open(sys.argv[3], definition).close()
"""


def test_an_owner_is_not_followed_because_the_database_was_gone(
    postgres: Postgres, name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its last sign of life is older than an owner's may be, and so it is for whoever comes first
    from another machine.
    """
    monkeypatch.setattr(database_lock, "BEAT", 1.0)
    monkeypatch.setattr(database_lock, "SOON", 3.0)  # so that the challenger comes first
    study = opened(postgres.url, name, Patience(20))
    grow(study, 1)
    with subprocess.Popen(
        [sys.executable, "-c", CHALLENGER, str(tmp_path), postgres.url, name, *EDITS],
        env={**os.environ, "TMPDIR": str(tmp_path)},
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    ) as challenger:  # fmt: skip
        assert challenger.stdout
        assert challenger.stdout.readline() == "ready\n"
        postgres.stop("fast")
        time.sleep(1.5)  # there is nothing to wait for: this is the outage
        postgres.start()
        _, error = challenger.communicate("go\n", timeout=120)
    assert f"ClaimError: study {name} is in use by process {os.getpid()} on " in error
    grow(study, 2)
    study.close()
