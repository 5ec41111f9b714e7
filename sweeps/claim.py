"""The claim: one driver a study. A second one is refused, and the claim of one that died is taken over.

On a journal it is a lock of the operating system, which ends with the process that holds it. On a database it is a row that
only compare-and-set changes, renewed while its owner lives, and looked at again in every transaction that its owner writes.
"""

import json
import os
import socket
import tempfile
import threading
import uuid
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from filelock import FileLock, Timeout

from experiments.errors import ClaimError

if TYPE_CHECKING:
    from sqlalchemy import Connection, Engine
    from sqlalchemy.orm import Session

KEY = "driver"  # of the study's user attribute in a database
PATIENCE = 0.5  # seconds that a starting driver waits for somebody who only looks whether there is one
GLANCE = 0.1  # seconds that one who looks waits for another who looks
BEAT = 10.0  # seconds between two signs of life in a database
SILENCE = 60.0  # seconds without one after which an owner that cannot be looked at is dead
LOCKED = 5_000  # milliseconds that a row may be locked by another transaction
SLOWEST_RELEASE = 0.5  # seconds; a database that does not answer at the end is not waited for


@dataclass(frozen=True)
class Owner:
    """The process that drives a study; `since` is ISO 8601 in UTC. What a claim does not tell is empty, or 0."""

    host: str = ""
    pid: int = 0
    since: str = ""

    @classmethod
    def here(cls) -> "Owner":
        """This process, from now on."""
        return cls(socket.gethostname(), os.getpid(), datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z"))

    @classmethod
    def of(cls, claim: Mapping[str, Any]) -> "Owner":
        """The owner that a claim names."""
        return cls(str(claim.get("host", "")), int(claim.get("pid", 0)), str(claim.get("since", "")))

    def __str__(self) -> str:
        """For example: process 4711 on mill, since 2026-11-23T07:25:49Z."""
        return f"process {self.pid} on {self.host}, since {self.since}" if self.pid else "another process"

    def refusal(self, study: str) -> ClaimError:
        """What a second driver is told."""
        return ClaimError(
            f"study {study} is in use by {self}; wait until that has ended, end it, or start a study of its own with --study NAME"
        )


class Claim(Protocol):
    """The right to write a study, and to write it to MLflow."""

    def acquire(self) -> None:
        """Take the claim. Raises ClaimError, naming the owner, where another process has it."""

    def release(self) -> None:
        """Give it back; nothing happens where it is not ours."""

    def owner(self) -> Owner | None:
        """Who has it; None where nobody has, or who had it is dead."""

    def fenced(self) -> AbstractContextManager[None]:
        """What is written to the study in this block is written only while the claim is ours, else ClaimError is raised."""


class FileClaim:
    """The claim on a study in a journal: a locked file beside it, which names the owner. It needs no fence: the lock of a
    process that is stopped stays.
    """

    def __init__(self, journal: str, study: str) -> None:
        self._path, self._study = Path(f"{os.path.realpath(journal)}.{study}.driver"), study
        self._lock = FileLock(self._path, fallback_to_soft=False, poll_interval=0.01)

    def acquire(self) -> None:
        """Lock the file, and write there who did. Raises OSError where the folder cannot be written."""
        try:
            self._lock.acquire(timeout=PATIENCE)
        except Timeout:
            raise (self._read() or Owner()).refusal(self._study) from None
        try:
            self._path.write_text(json.dumps(vars(Owner.here())))
        except BaseException:
            self.release()
            raise

    def release(self) -> None:
        """Remove the file and unlock it: in this order, or it could be another's by then."""
        if self._lock.is_locked:
            self._path.unlink(missing_ok=True)
            self._lock.release()

    def owner(self) -> Owner | None:
        """Who holds the lock. One who may not lock the file is told what is written there."""
        if not self._path.exists():
            return None
        glance = FileLock(self._path, fallback_to_soft=False, poll_interval=0.01)
        try:
            with glance.acquire(timeout=GLANCE):
                return None
        except Timeout:
            return self._read() or Owner()
        except OSError:
            return self._read()

    def fenced(self) -> AbstractContextManager[None]:
        """Nothing is to be looked at."""
        return nullcontext()

    def _read(self) -> Owner | None:
        try:
            return Owner.of(json.loads(self._path.read_text()))
        except (OSError, ValueError, AttributeError):  # its owner has not written it yet, or not to its end
            return None


class RowClaim:
    """The claim on a study in a database: a user attribute of the study, with a token that is its owner's alone.

    Whether the owner lives is told by a locked file with the token in its name where the owner is on this machine, else
    by its last sign of life. That is in the time of the database: the clocks of two hosts are never compared.
    """

    def __init__(self, engine: "Engine", sessions: Any, study_id: int, study: str) -> None:
        from sqlalchemy import column, table

        self._engine, self._sessions, self._study = engine, sessions, study
        self._table = table("study_user_attributes", column("study_id"), column("key"), column("value_json"))
        self._row = (self._table.c.study_id == study_id) & (self._table.c.key == KEY)
        self._new = {"study_id": study_id, "key": KEY}
        self._token = uuid.uuid4().hex
        self._mine = self._row & self._table.c.value_json.contains(self._token)
        self._life = _life(self._token)
        self._owner = Owner()
        self._end = threading.Event()
        self._thread: threading.Thread | None = None
        self._fenced = False

    def acquire(self) -> None:
        """Write the row if there is none, or in place of a dead owner's: of two at once, one finds it changed and is refused."""
        from sqlalchemy import event

        self._owner = Owner.here()
        self._life.acquire(timeout=0)
        try:
            while not self._take():
                pass
        except BaseException:
            _bury(self._life)
            raise
        event.listen(self._sessions, "before_commit", self._check)
        self._thread = threading.Thread(target=self._beat, name="claim", daemon=True)
        self._thread.start()

    def release(self) -> None:
        """Remove the row."""
        if self._thread is None:
            return
        self._end.set()
        self._thread.join(SLOWEST_RELEASE)
        self._thread = None
        _bury(self._life)

    def owner(self) -> Owner | None:
        """Who is in the row and lives."""
        with self._engine.connect() as connection:
            text = self._text(connection)
            return Owner.of(json.loads(text)) if text and _lives(json.loads(text), _now(connection)) else None

    @contextmanager
    def fenced(self) -> Iterator[None]:
        """The row is looked at, and kept from being changed, in the very transaction that writes."""
        self._fenced = True
        try:
            yield
        finally:
            self._fenced = False

    def _take(self) -> bool:
        """One attempt; False where the row changed under it."""
        from sqlalchemy import insert, update
        from sqlalchemy.exc import IntegrityError

        with self._engine.begin() as connection:
            if connection.dialect.name == "postgresql":  # it would wait for ever for one that was stopped while it wrote
                connection.exec_driver_sql(f"SET LOCAL lock_timeout = {LOCKED}")
            text = self._text(connection)
            mine = self._claim(connection)
            if text is None:
                try:
                    connection.execute(insert(self._table).values(**self._new, value_json=mine))
                except IntegrityError:  # somebody else was faster
                    connection.rollback()
                    return False
                return True
            other = json.loads(text)
            if _lives(other, _now(connection)):
                raise Owner.of(other).refusal(self._study)
            taken = connection.execute(
                update(self._table).where(self._row, self._table.c.value_json == text).values(value_json=mine)
            )
        if taken.rowcount:
            with suppress(OSError):
                _bury(_life(other["token"]))
        return bool(taken.rowcount)

    def _claim(self, connection: "Connection") -> str:
        return json.dumps({**vars(self._owner), "token": self._token, "beat": _now(connection)})

    def _text(self, connection: "Connection") -> str | None:
        from sqlalchemy import select

        return connection.execute(select(self._table.c.value_json).where(self._row)).scalar()

    def _beat(self) -> None:
        """The thread: gives signs of life, and removes the row at the end. One that fails is made up for by the next."""
        from sqlalchemy import delete, update
        from sqlalchemy.exc import SQLAlchemyError

        while not self._end.wait(BEAT):
            with suppress(SQLAlchemyError), self._engine.begin() as connection:
                connection.execute(update(self._table).where(self._mine).values(value_json=self._claim(connection)))
        with suppress(SQLAlchemyError), self._engine.begin() as connection:
            connection.execute(delete(self._table).where(self._mine))

    def _check(self, session: "Session") -> None:
        """Raises ClaimError where the row is not ours any more. To write it keeps it ours until the transaction has ended."""
        from sqlalchemy import update

        if not self._fenced:
            return
        same = update(self._table).where(self._mine).values(value_json=self._table.c.value_json)
        if not session.connection().execute(same).rowcount:
            raise ClaimError(
                f"study {self._study} was taken over by {self.owner() or 'another process'}, after {SILENCE:g} s without "
                "a sign of this one; what was recorded is kept, and to go on is the other's"
            )


def _life(token: str) -> FileLock:
    """The lock that lives as long as the owner with this token, for those who see the same temporary files."""
    path = Path(tempfile.gettempdir()) / f"sweeps-{uuid.UUID(token).hex}.lock"  # a token is data: it must not leave the folder
    return FileLock(path, fallback_to_soft=False, poll_interval=0.01)


def _bury(life: FileLock) -> None:
    """Remove the file of a lock that is ours or nobody's."""
    Path(life.lock_file).unlink(missing_ok=True)
    life.release()


def _lives(claim: Mapping[str, Any], now: float) -> bool:
    """Whether the owner in a row lives; `now` is the database's time in seconds."""
    life = _life(claim["token"])
    if Path(life.lock_file).exists():
        try:
            with life.acquire(timeout=GLANCE):
                return False
        except Timeout:
            return True
        except OSError:  # another person's file
            pass
    return now - float(claim["beat"]) < SILENCE


def _now(connection: "Connection") -> float:
    """The database's time, in seconds since 1970."""
    from sqlalchemy import DateTime, func, select

    here = func.utc_timestamp(type_=DateTime) if connection.dialect.name in ("mysql", "mariadb") else func.now()
    time: datetime = connection.execute(select(here)).scalar_one()
    return (time if time.tzinfo else time.replace(tzinfo=UTC)).timestamp()  # without a zone it is UTC
