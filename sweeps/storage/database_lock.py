"""The lock of a study in PostgreSQL: an advisory lock of the one connection that writes the study.

The server frees the lock when the connection ends, so a driver that lost its lock cannot write.
Its connection is never made again: Optuna would repeat a trial whose commit was not answered.
"""

import hashlib
import os
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from experiments.errors import StorageError
from experiments.redaction import masked_url
from sweeps.storage.lock import Owner, iso

if TYPE_CHECKING:
    from sqlalchemy import URL, Connection

PROGRAM = "sweeps"
TABLES = 0  # the key of the lock of a database while somebody makes its tables
WAIT = 2.0  # seconds that the server may take to notice that a driver was killed
# How soon the client notices a host that is gone, in seconds; by default it takes minutes or hours.
CONNECTION = {
    "connect_timeout": 5,
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 25_000,  # milliseconds
}
# How soon the server frees the lock of a host that is gone, or of a driver stopped while it writes.
SESSION = {
    "tcp_keepalives_idle": "10",
    "tcp_keepalives_interval": "5",
    "tcp_keepalives_count": "3",
    "idle_in_transaction_session_timeout": "30000",
}
OWNER = """
SELECT application_name, backend_start FROM pg_locks JOIN pg_stat_activity USING (pid)
WHERE locktype = 'advisory' AND granted AND objsubid = 1
AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
AND (classid::bigint << 32) | objid::bigint = :key
"""


def parsed_url(url: str) -> "URL":
    """Return a database URL in its parts. Raises ArgumentError if it is none."""
    from sqlalchemy.engine import make_url
    from sqlalchemy.exc import ArgumentError

    try:
        return make_url(url)
    except ValueError:
        raise ArgumentError("the port is not a number") from None


def reading_options(url: str) -> dict[str, Any]:
    """Return the options of an engine that closes each connection after use. What the URL or the
    environment says of a connection stays as it is.
    """
    from sqlalchemy import NullPool

    parsed = parsed_url(url)
    options = {"poolclass": NullPool, "pool_reset_on_return": None}  # closing is the reset
    if parsed.get_driver_name() not in ("psycopg", "psycopg2"):
        return options
    given = {*parsed.query, *(["connect_timeout"] if "PGCONNECT_TIMEOUT" in os.environ else [])}
    limits = {name: value for name, value in CONNECTION.items() if name not in given}
    return {**options, "connect_args": limits}


@contextmanager
def making_tables(url: str) -> Iterator[None]:
    """Wait for others that make the tables of a PostgreSQL: Optuna does not expect another one."""
    from sqlalchemy import create_engine, func, select

    engine = create_engine(url, **reading_options(url))
    if engine.dialect.name != "postgresql":
        yield
        return
    with engine.begin() as connection:
        connection.execute(select(func.pg_advisory_xact_lock(TABLES)))
        yield


class DatabaseStudyLock:
    """The advisory lock of a study; the application name on the server holds process and host."""

    def __init__(self, url: str, study: str) -> None:
        from sqlalchemy import create_engine

        self._url, self._study = url, study
        self._key = int.from_bytes(hashlib.sha256(study.encode()).digest()[:8], signed=True)
        self._engine = create_engine(url, **reading_options(url))
        self._connection: Connection | None = None
        self._taken = False

    def acquire(self) -> None:
        """Raises LockError if another process holds the lock."""
        from sqlalchemy import func, select

        here = Owner.here()
        settings = {**SESSION, "application_name": f"{PROGRAM} {here.pid} {here.host}"}
        connection = self._engine.connect()
        try:
            connection.execute(
                select(*(func.set_config(name, value, False) for name, value in settings.items()))
            )
            deadline = time.monotonic() + WAIT
            while not connection.scalar(select(func.pg_try_advisory_lock(self._key))):
                if time.monotonic() > deadline:
                    raise (self._owner(connection) or Owner()).refusal(self._study)
                time.sleep(0.05)
            connection.commit()
        except BaseException:
            connection.close()
            raise
        self._connection, self._taken = connection, False

    def release(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def owner(self) -> Owner | None:
        with self._engine.connect() as connection:
            return self._owner(connection)

    def engine_options(self) -> dict[str, Any]:
        """Return the options of an engine that writes by the connection that holds the lock."""
        return {"creator": self._connect, "pool_size": 1, "max_overflow": 0, "pool_pre_ping": True}

    def _connect(self) -> Any:
        """Return the locked connection, once: a lost one is never made again."""
        if self._connection is None or self._taken:
            raise StorageError(
                f"storage {masked_url(self._url)}: the connection was lost; start the database,"
                " then run the same command again: what was recorded is kept"
            )
        self._taken = True
        return self._connection.connection.driver_connection

    def _owner(self, connection: "Connection") -> Owner | None:
        from sqlalchemy import text

        row = connection.execute(text(OWNER), {"key": self._key}).one_or_none()
        if row is None:
            return None
        name, since = row
        found = re.fullmatch(f"{PROGRAM} ([0-9]+) (.*)", name)
        if found is None:
            return Owner()
        return Owner(found[2], int(found[1]), iso(since) if since else "")
