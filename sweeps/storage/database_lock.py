"""The claim on a study in a database: a row that only compare-and-set changes, renewed while its
owner lives.
"""

import json
import tempfile
import threading
import uuid
from collections.abc import Mapping
from contextlib import AbstractContextManager, suppress
from datetime import UTC, datetime
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Any

from filelock import FileLock, Timeout

from experiments.errors import ClaimError
from sweeps.storage.database import Database
from sweeps.storage.lock import GLANCE, Owner
from sweeps.storage.retry import Outage

if TYPE_CHECKING:
    from sqlalchemy import Connection
    from sqlalchemy.orm import Session

KEY = "driver"  # of the study's user attribute
BEAT = 10.0  # seconds between two signs of life
SOON = 1.0  # seconds after a sign that failed
SILENCE = 60.0  # seconds without one after which an owner that cannot be looked at seems dead
SLOWEST_RELEASE = 0.5  # seconds; a database that does not answer at the end is not waited for


class Sign(Enum):
    """What can be known of an owner: it is seen to live or to be dead, or it is silent."""

    ALIVE, DEAD, SILENT = range(3)


class RowClaim:
    """The claim on a study in a database: a user attribute of the study, with a token that is its
    owner's alone.

    Whether the owner lives is told by a locked file with the token in its name where the owner is
    on this machine, else by its last sign of life. That is in the time of the database: the clocks
    of two hosts are never compared. Nobody can give a sign while the database is gone, so an owner
    that is silent gets time for one before it is followed.
    """

    def __init__(self, database: Database, study_id: int, study: str) -> None:
        from sqlalchemy import column, table

        self._database, self._engine, self._study = database, database.engine, study
        self._table = table(
            "study_user_attributes", column("study_id"), column("key"), column("value_json")
        )
        self._row = (self._table.c.study_id == study_id) & (self._table.c.key == KEY)
        self._new = {"study_id": study_id, "key": KEY}
        self._token = uuid.uuid4().hex
        self._mine = self._row & self._table.c.value_json.contains(self._token)
        self._life = _life(self._token)
        self._owner = Owner()
        self._end = threading.Event()
        self._thread: threading.Thread | None = None
        self._silent: str | None = None  # the row whose owner was silent when it was looked at

    def acquire(self) -> None:
        """Write the row if there is none, or in place of a dead owner's: of two at once, one finds
        it changed and is refused.
        """
        self._owner = Owner.here()
        self._life.acquire(timeout=0)
        try:
            while not self._database.patience(self._take):
                pass
        except BaseException:
            _bury(self._life)
            raise
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
            alive = text and _sign(json.loads(text), _now(connection)) == Sign.ALIVE
            return Owner.of(json.loads(text)) if text and alive else None

    def fenced(self) -> AbstractContextManager[None]:
        """The row is looked at, and kept from being changed, in the very transaction that writes."""
        return self._database.guarded(self._check)

    def _take(self) -> bool:
        """One attempt; False where the row changed under it, or its owner gets time for a sign of
        life.
        """
        from sqlalchemy import insert, update
        from sqlalchemy.exc import IntegrityError

        with self._engine.begin() as connection:
            text = self._text(connection)
            mine = self._claim(connection)
            if text is None:
                try:
                    connection.execute(insert(self._table).values(**self._new, value_json=mine))
                except IntegrityError:  # somebody else was faster
                    connection.rollback()
                    return False
                return True
            other, now = json.loads(text), _now(connection)
            if other["token"] == self._token:  # the answer to an earlier attempt was lost
                return True
            sign = _sign(other, now)
            if sign == Sign.ALIVE:
                raise Owner.of(other).refusal(self._study)
            waiting = sign == Sign.SILENT and text != self._silent
            if not waiting:
                taken = connection.execute(
                    update(self._table)
                    .where(self._row, self._table.c.value_json == text)
                    .values(value_json=mine)
                )
        if waiting:
            self._silent = text
            self._database.patience.note(
                f"study {self._study}: {Owner.of(other)}, drives it, and has given no sign of life"
                f" for {now - float(other['beat']):,.0f} s; it gets {BEAT:g} s more"
            )
            self._database.patience.sleep(BEAT)
            return False
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
        """The thread: gives signs of life, and removes the row at the end. One that fails is made
        up for soon.
        """
        from sqlalchemy import delete, update
        from sqlalchemy.exc import SQLAlchemyError

        pause = BEAT
        while not self._end.wait(pause):
            pause = SOON
            with suppress(SQLAlchemyError, Outage), self._engine.begin() as connection:
                connection.execute(
                    update(self._table).where(self._mine).values(value_json=self._claim(connection))
                )
                pause = BEAT
        with suppress(SQLAlchemyError, Outage), self._engine.begin() as connection:
            connection.execute(delete(self._table).where(self._mine))

    def _check(self, session: "Session") -> None:
        """Raises ClaimError where the row is not ours any more. To write it keeps it ours until the
        transaction has ended.
        """
        from sqlalchemy import update

        same = update(self._table).where(self._mine).values(value_json=self._table.c.value_json)
        if not session.connection().execute(same).rowcount:
            raise ClaimError(
                f"study {self._study} was taken over by {self.owner() or 'another process'}, after"
                f" {SILENCE:g} s without a sign of this one; what was recorded is kept, and to go"
                " on is the other's"
            )


def _life(token: str) -> FileLock:
    """The lock that lives as long as the owner with this token, for those who see the same
    temporary files.
    """
    path = (
        Path(tempfile.gettempdir()) / f"sweeps-{uuid.UUID(token).hex}.lock"
    )  # a token is data: it must not leave the folder
    return FileLock(path, fallback_to_soft=False, poll_interval=0.01)


def _bury(life: FileLock) -> None:
    """Remove the file of a lock that is ours or nobody's."""
    Path(life.lock_file).unlink(missing_ok=True)
    life.release()


def _sign(claim: Mapping[str, Any], now: float) -> Sign:
    """What can be known of the owner in a row; `now` is the database's time in seconds."""
    life = _life(claim["token"])
    if Path(life.lock_file).exists():
        try:
            with life.acquire(timeout=GLANCE):
                return Sign.DEAD
        except Timeout:
            return Sign.ALIVE
        except OSError:  # another person's file
            pass
    return Sign.ALIVE if now - float(claim["beat"]) < SILENCE else Sign.SILENT


def _now(connection: "Connection") -> float:
    """The database's time, in seconds since 1970."""
    from sqlalchemy import DateTime, func, select

    here = (
        func.utc_timestamp(type_=DateTime)
        if connection.dialect.name in ("mysql", "mariadb")
        else func.now()
    )
    time: datetime = connection.execute(select(here)).scalar_one()
    return (
        time if time.tzinfo else time.replace(tzinfo=UTC)
    ).timestamp()  # without a zone it is UTC
