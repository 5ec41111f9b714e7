"""PostgreSQL that is stopped, killed and cut off: the run ends with one sentence, and the same
command continues to the same table, with no trial lost or there twice.
"""

import contextlib
import pickle
import select
import shutil
import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import sqlalchemy

import sweeps
from experiments.errors import StorageError
from experiments.records import TrialRecord
from sweeps.progress import Progress
from sweeps.search.study import Study
from sweeps.storage import database_lock
from sweeps.storage.storage import open_storage
from tests.postgres import Postgres
from tests.sweeps.search.trials import experiment, grow, measured, opened, table
from tests.sweeps.test_same_table import tables

RANDOM = experiment("sweep.sampler=random", "sweep.generation=4")


@pytest.fixture
def name(request: pytest.FixtureRequest) -> str:
    return str(request.node.name)[:60]


class Wire:
    """A way to a PostgreSQL by a port of this machine, cut at some commits: before one arrives, or
    before its answer does.
    """

    def __init__(self, server: Postgres) -> None:
        self._server, self._listener = server, socket.create_server(("127.0.0.1", 0))
        port = self._listener.getsockname()[1]
        self.url = f"postgresql+psycopg://postgres@127.0.0.1:{port}/postgres"
        self.commits, self.cut_at, self.arrives = 0, 0, True
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
                    if one is near and data and b"COMMIT" in data:
                        self.commits += 1
                        if self.commits == self.cut_at:
                            if self.arrives:
                                far.sendall(data)
                                far.recv(1 << 20)  # its answer
                            return
                    other.sendall(data or b"")

    def close(self) -> None:
        self._listener.close()


@pytest.fixture
def wire(postgres: Postgres) -> Iterator[Wire]:
    wire = Wire(postgres)
    yield wire
    wire.close()


@pytest.mark.parametrize("arrives", [True, False])
def test_a_connection_lost_at_any_commit_writes_nothing_twice(
    wire: Wire, arrives: bool, memory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each commit in the life of a study is cut once; after each cut the study is opened again."""
    monkeypatch.setattr(database_lock, "WAIT", 60)  # on a busy machine
    monkeypatch.setattr("random.random", lambda: 0.0)  # Optuna's pause before it tries again
    whole = opened(memory / "s.journal", RANDOM)
    grow(whole, 3)
    wire.arrives = arrives
    said: list[str] = []  # at each cut

    def live(name: str) -> Study:
        study = opened(wire.url, RANDOM, name)
        try:
            grow(study, 3)
            study.keep("verdict", {"name": name})
        except BaseException:
            study.close()
            raise
        return study

    while True:
        wire.commits, wire.cut_at, name = 0, len(said) + 1, f"cut {arrives} {len(said)}"
        try:
            study = live(name)
        except StorageError as error:
            said.append(str(error))
            study = live(name)
        commits, wire.cut_at = wire.commits, 0
        assert table(study) == table(whole)
        assert [trial.number for trial in study.optuna.trials] == list(range(3))
        assert study.kept["verdict"] == {"name": name}
        study.close()
        if commits <= len(said):
            break
    assert len(said) >= 8  # the tables, the lock, the study, its birth, the trials, the verdict
    assert all(one.endswith("same command again: what was recorded is kept") for one in said)


class Heard(Progress):
    """Has something done after a trial, and when the confirmation begins."""

    def __init__(self, events: dict[int | str, Callable[[], object]]) -> None:
        super().__init__()
        self.events = events

    def add(self, trial: TrialRecord) -> None:
        self.events.pop(trial.trial, list)()

    def confirming(self, trained: int, networks: int) -> None:
        self.events.pop("confirming", list)()


@pytest.mark.usefixtures("tracker_here")
def test_a_stopped_server_ends_the_run_and_the_same_command_continues(
    postgres: Postgres, name: str, tmp_path: Path, made: Path, request: pytest.FixtureRequest
) -> None:
    edits = [
        "sweep.baseline=4",
        "training.epochs=2",
        "sweep.generation=4",
        "confirm.seeds=2",
        "confirm.top=1",
    ]
    engines: set[sqlalchemy.Engine] = set()

    def note(connection: sqlalchemy.Connection) -> None:
        engines.add(connection.engine)

    sqlalchemy.event.listen(sqlalchemy.Engine, "engine_connect", note)
    request.addfinalizer(lambda: sqlalchemy.event.remove(sqlalchemy.Engine, "engine_connect", note))

    def run(folder: str, storage: str | None, progress: Progress | None = None) -> object:
        sweep = sweeps.run(
            "iris",
            trials=12,
            edits=edits,
            workers=1,
            directory=tmp_path / folder,
            study=name,
            storage=storage,
            tracking_uri=f"sqlite:///{shutil.copy(made, tmp_path)}",
            progress=progress,
        )
        assert sweep.verdict
        for study in (sweep.study, pickle.loads(pickle.dumps(sweep.study))):
            assert len(study.trials) == 12  # it can be read when the run is over, anywhere
        for engine in engines:
            engine.dispose()  # else psycopg warns of connections that nobody closed
        confirm = tmp_path / folder / "reports" / name / "confirm.csv"
        return tables(tmp_path / folder, name), confirm.read_bytes()

    for when, mode in ((5, "fast"), ("confirming", "immediate")):
        stops: dict[int | str, Callable[[], object]] = {when: lambda mode=mode: postgres.stop(mode)}
        with pytest.raises(StorageError, match="same command again: what was recorded is kept"):
            run("stopped", postgres.url, Heard(stops))
        with pytest.raises(StorageError, match=r"does not answer \(.*\); start it"):
            run("stopped", postgres.url)
        postgres.start()
    assert run("stopped", postgres.url) == run("whole", None)


def test_a_driver_that_lost_its_lock_writes_nothing(postgres: Postgres, name: str) -> None:
    """Another one may have taken the study over."""
    study = opened(postgres.url, RANDOM, name)
    grow(study, 2)
    engine = sqlalchemy.create_engine(postgres.url, poolclass=sqlalchemy.NullPool)
    with engine.connect() as connection:
        end = "SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory'"
        connection.execute(sqlalchemy.text(end))
    other = opened(postgres.url, RANDOM, name)
    for write in (lambda: grow(study, 3), lambda: study.keep("key", 1)):
        with pytest.raises(StorageError, match="the connection was lost"):
            write()
    assert len(other.optuna.trials) == 2
    grow(other, 3)
    other.close()
    study.close()


def test_a_transaction_that_was_left_open_is_ended(
    postgres: Postgres, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By a driver that was stopped, or whose host was cut off: others can write after 30 s."""
    limit = "idle_in_transaction_session_timeout"
    assert database_lock.SESSION[limit] == "30000"  # milliseconds
    settings = {**database_lock.SESSION, limit: "300"}
    study = opened(postgres.url, RANDOM, name)
    monkeypatch.setattr(database_lock, "SESSION", settings)
    stuck = database_lock.DatabaseStudyLock(postgres.url, "another study")
    stuck.acquire()
    engine = sqlalchemy.create_engine(postgres.url, **stuck.engine_options())
    connection = engine.connect()
    connection.execute(sqlalchemy.text("SELECT * FROM studies FOR UPDATE"))
    grow(study, 1)  # waits for it
    connection.invalidate()
    stuck.release()
    study.close()


def test_tables_of_another_optuna_are_one_sentence(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/study.db"
    opened(url, RANDOM).close()
    engine = sqlalchemy.create_engine(url, poolclass=sqlalchemy.NullPool)
    for version in ("v0.9.0.a", "of the future"):
        with engine.begin() as connection:
            connection.execute(
                sqlalchemy.text("UPDATE alembic_version SET version_num = :it"), {"it": version}
            )
        for use in (lambda: opened(url, RANDOM), lambda: open_storage(url)):
            with pytest.raises(StorageError, match="was made by another version of Optuna than"):
                use()


def test_a_trial_takes_few_statements(postgres: Postgres, name: str) -> None:
    """Over a network each of them is a round trip."""
    study = opened(postgres.url, RANDOM, name)
    grow(study, 1)
    (proposal, *_) = study.propose()
    statements: list[str] = []

    def note(*call: object) -> None:
        statements.append(str(call[2]))

    sqlalchemy.event.listen(sqlalchemy.Engine, "before_cursor_execute", note)
    try:
        study.record(proposal, measured(proposal.setting, epochs=1_000))
    finally:
        sqlalchemy.event.remove(sqlalchemy.Engine, "before_cursor_execute", note)
    study.close()
    assert 0 < len(statements) <= 48  # and three pings of the connection
