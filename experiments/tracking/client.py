"""MLflow's client: opened with short limits, its errors as one sentence each."""

import configparser
import logging
import os
import sqlite3
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from experiments.errors import DatabaseError, TrackingError
from experiments.redaction import redacted
from experiments.tracking import database
from experiments.tracking.store import Store
from experiments.wording import quoted

if TYPE_CHECKING:
    from mlflow import MlflowClient

# For the process that writes to MLflow, unless the user set them. By default a call to a server
# that is gone takes four minutes, and one that the HTTP layer repeats can create a run twice.
SETTINGS = {
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "5",
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "0",
    "PGCONNECT_TIMEOUT": "5",
    "MLFLOW_DISABLE_TELEMETRY": "true",  # nothing of a sweep leaves the machine by itself
    "MLFLOW_UV_AUTO_DETECT": "false",  # else a model takes the uv.lock of any directory with it
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",  # two lines per run, and a call for them
}
REFUSED = {
    "UNAUTHENTICATED": (
        "does not accept these credentials; set MLFLOW_TRACKING_USERNAME and"
        " MLFLOW_TRACKING_PASSWORD, or MLFLOW_TRACKING_TOKEN"
    ),
    "PERMISSION_DENIED": (
        "does not allow this to these credentials; have its administrator give you the permission"
        " to edit, or write to another experiment with MLFLOW_EXPERIMENT_NAME"
    ),
}
WRONG_HOST = "Invalid Host header"  # MLflow's word, with the status of PERMISSION_DENIED
# What SQLite says of a file that is damaged, or whose tables are not MLflow's.
BROKEN = {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_ERROR}
KEPT = "nothing of the study is lost: when MLflow works again, `sweeps sync` writes what is missing"


def have_home() -> None:
    """Set HOME for a user whom the system does not know, as in a container: MLflow asks."""
    try:
        Path.home()
    except RuntimeError:
        os.environ["HOME"] = tempfile.gettempdir()


def load() -> None:
    """Import MLflow, which takes two seconds, with SETTINGS in this process's environment. Raises
    TrackingError.
    """
    for name, value in SETTINGS.items():
        os.environ.setdefault(name, value)
    have_home()
    try:
        with warnings.catch_warnings(action="ignore"):  # MLflow warns of its own code
            # What databases and models need too: calls have a limit.
            import mlflow.pyfunc
            import mlflow.store.tracking.sqlalchemy_store  # noqa: F401
    except Exception as error:  # of any library below it, such as one that finds no memory
        what = f"MLflow cannot be loaded ({error})"
        raise TrackingError(f"{what}; free some memory, or install it again; {KEPT}") from None

    # It narrates how tables are made, and logs what it raises as well, with a traceback.
    logging.getLogger("mlflow.store.db.utils").setLevel(logging.CRITICAL + 1)


def open_client(store: Store) -> "MlflowClient":
    """A client for the store; a SQLite file that is not there yet is made."""
    from mlflow import MlflowClient

    if store.file and not store.file.exists():
        database.make(store.file)
    elif store.is_database:
        _check(store)  # and connect: MLflow would try ten times, for 100 s
    return MlflowClient(tracking_uri=store.uri, registry_uri=store.uri)


def _check(store: Store) -> None:
    """Raise DatabaseError for a broken SQLite file, and where MLflow would migrate the database: it
    does not ask. See docs/decisions/0024-an-old-database-is-not-migrated.md.
    """
    import mlflow
    from alembic.migration import MigrationContext
    from alembic.script import ScriptDirectory
    from sqlalchemy import NullPool, create_engine

    with create_engine(store.uri, poolclass=NullPool).connect() as connection:
        revision = MigrationContext.configure(connection).get_current_revision()
        if store.file:
            found = str(connection.exec_driver_sql("PRAGMA quick_check(1)").scalar())
            if found != "ok":
                raise _broken(store, found)
    migrations = Path(mlflow.__file__).with_name("store") / "db_migrations"
    if revision is None or not migrations.exists():  # an empty database, or another MLflow
        return
    known = [one.revision for one in ScriptDirectory(str(migrations)).walk_revisions()]
    if revision not in known[:1]:  # the newest is the first
        whose = f"a newer MLflow than {mlflow.__version__}, or of another program"
        remedy = "install that MLflow, or name another database with --tracking-uri"
        if revision in known:
            whose = f"an older MLflow than {mlflow.__version__}"
            remedy = f"copy the database, then run: mlflow db upgrade {quoted(store.shown)}"
        raise DatabaseError(
            f"MLflow at {store.shown} has the tables of {whose} (revision {revision}); nothing of"
            f" the study is lost: {remedy}"
        )


def _broken(store: Store, reason: str) -> DatabaseError:
    remedy = "restore a copy of it, or move it away, and run: sweeps sync"
    if store.is_own:
        remedy = "set it aside and write all studies to a new one with: sweeps sync --fresh"
    shown = " ".join(reason.split())[:300]
    return DatabaseError(
        f"MLflow at {store.shown} is broken ({shown}); nothing of the study is lost: {remedy}"
    )


@contextmanager
def answering(store: Store) -> Iterator[None]:
    """Raise what goes wrong in MLflow as a TrackingError: one sentence, without a password."""
    from alembic.util.exc import CommandError  # the database is another program's, as Optuna's
    from mlflow.exceptions import MlflowException
    from sqlalchemy.exc import SQLAlchemyError

    foreseen = (MlflowException, SQLAlchemyError, CommandError, sqlite3.Error, ImportError, OSError)
    try:
        yield
    except (configparser.Error, UnicodeDecodeError):  # their text has a line of the file in it
        raise TrackingError(
            "the file ~/.mlflow/credentials is not as MLflow reads it (a % in it must be %%); set"
            f" MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD instead; {KEPT}"
        ) from None
    except foreseen as error:
        reason = _reason(error, store)
        raise TrackingError(f"MLflow at {store.shown} {reason}; {KEPT}") from None


def _reason(error: Exception, store: Store) -> str:
    from requests import RequestException

    cause = error.__cause__ or error.__context__
    if isinstance(cause, RequestException):
        return "does not answer"
    if isinstance(error, OSError) and error.strerror:
        return f"cannot be used ({error.strerror})"
    if WRONG_HOST in str(error):
        return (
            "does not go by this name; use one that its --allowed-hosts lists, or have its"
            " administrator list this one"
        )
    if refused := REFUSED.get(getattr(error, "error_code", "")):
        return refused
    original = getattr(error, "orig", None) or getattr(cause, "orig", None) or error
    lines = str(original).strip().splitlines() or [type(error).__name__]
    if getattr(original, "sqlite_errorcode", 0) & 0xFF in BROKEN:
        raise _broken(store, lines[0])
    return f"cannot be used ({redacted(lines[0], store.uri)[:300]})"
