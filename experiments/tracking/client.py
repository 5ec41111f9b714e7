"""The client: MLflow opened with short limits, its database made where it is a file of ours, its
errors in one sentence.
"""

import configparser
import logging
import os
import shutil
import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from filelock import FileLock

from experiments.errors import TrackingError
from experiments.logging import muted
from experiments.redaction import redacted
from experiments.tracking.store import Store

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore
    from sqlalchemy.engine import Engine

# tells of the making of tables, and with a traceback of what it raises as well
NARRATOR = "mlflow.store.db.utils"
LOGS = (
    "-wal",
    "-shm",
)  # beside a SQLite file; of one that was deleted, SQLite would write what they hold into the next
# seconds that SQLite waits for a lock of another process; MLflow would have it wait 20, at every
# statement
SLOWEST_LOCK = 5

# For this process, unless the user set them. By default a call to a server that is gone takes four
# minutes. Here it may take these 5 seconds, once: a call that is tried again by the HTTP layer can
# create a run twice, so trying again is left to who looks for the run first.
SETTINGS = {
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "5",
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "0",
    "PGCONNECT_TIMEOUT": "5",
    "MLFLOW_DISABLE_TELEMETRY": "true",  # nothing of a sweep leaves the machine by itself
    # a model would take the uv.lock of whatever directory one stands in with it
    "MLFLOW_UV_AUTO_DETECT": "false",
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",  # two lines a trial, and a call for them
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
STRANGE_HOST = "Invalid Host header"  # MLflow's word, with the status of PERMISSION_DENIED

logger = logging.getLogger(__name__)


def load() -> None:
    """Import MLflow, which takes over a second, under our settings."""
    for name, value in SETTINGS.items():
        os.environ.setdefault(name, value)  # read by MLflow when it is imported, or at every call
    import mlflow  # noqa: F401


def page_folder() -> Path:
    """Where MLflow's page is installed; nothing is there where its server is not."""
    import mlflow

    return Path(mlflow.__file__).parent / "server" / "js"


def open_client(store: Store) -> "MlflowClient":
    """A client for the store; a SQLite file that is not there yet is made. To be called within
    `answering`.
    """
    from mlflow import MlflowClient

    if store.file and not store.file.exists():
        make_database(store.file, store.artifacts)
    elif store.is_database:
        _probe(store.uri)
    if store.file:
        _wait_briefly(database(store).engine)
    return MlflowClient(tracking_uri=store.uri, registry_uri=store.uri)


def database(store: Store) -> "SqlAlchemyStore":
    """What MLflow's client works on where MLflow is a database: MLflow keeps one engine a URI, so
    this is the one of the client.
    """
    from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore

    return SqlAlchemyStore(store.uri, str(store.artifacts))  # type: ignore[no-untyped-call]


def open_registry(store: Store) -> None:
    """Have the client that was opened for the store use registered models. To be called within
    `answering`.
    """
    if store.file:
        _wait_briefly(_registry_engine(store.uri))


def _wait_briefly(engine: "Engine") -> None:
    """Have MLflow's connections to a SQLite file wait for a lock as long as ours do."""
    from sqlalchemy import event

    if not event.contains(engine, "before_cursor_execute", _shorten):
        event.listen(engine, "before_cursor_execute", _shorten, retval=True)


def _registry_engine(uri: str) -> "Engine":
    """What MLflow works on for registered models: to the same database connections of its own, one
    engine a URI as well.
    """
    from mlflow.store.model_registry.sqlalchemy_store import SqlAlchemyStore

    return SqlAlchemyStore(uri).engine  # type: ignore[no-untyped-call]


def _shorten(
    connection: Any, cursor: Any, statement: str, parameters: Any, context: Any, many: bool
) -> tuple[str, Any]:
    """Every session of MLflow begins with a PRAGMA that nothing configures."""
    if statement.startswith("PRAGMA busy_timeout"):
        statement = f"PRAGMA busy_timeout = {1000 * SLOWEST_LOCK}"
    return statement, parameters


def make_database(path: Path, artifacts: Path | None) -> None:
    """Make MLflow's SQLite database, whole or not at all, whoever else makes it at the same time."""
    logger.info("making the MLflow database %s", path)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{uuid4().hex}")
    # Not made beside the path: that takes a second, and who is killed in it would leave it there.
    with tempfile.TemporaryDirectory(prefix="sweeps-") as folder:
        made = Path(folder) / path.name
        _open_and_close(made, artifacts)
        with closing(sqlite3.connect(made)) as connection:
            connection.execute(
                "PRAGMA journal_mode = WAL"
            )  # stays in the file; writing is 2.5 times cheaper
        lock = path.with_name(f".{path.name}.lock")
        try:
            shutil.copyfile(made, temporary)
            with FileLock(lock, timeout=SLOWEST_LOCK):
                _put(temporary, path)
                lock.unlink(missing_ok=True)  # who waits for it finds the database there
        finally:
            temporary.unlink(missing_ok=True)
    # Where this process had a database there before, MLflow holds connections to what was deleted.
    _open_and_close(path, artifacts)


def _put(made: Path, path: Path) -> None:
    """Put a database where it is to be, unless somebody else has, with nothing beside it that a
    deleted one has left.
    """
    if path.exists():
        return
    for log in LOGS:
        path.with_name(path.name + log).unlink(missing_ok=True)
    try:
        os.link(
            made,
            path,
            # unlike a rename, never replaces what somebody has just made who does not know of our
            # lock
        )
    except FileExistsError:
        pass
    except OSError:  # a file system without links
        made.rename(path)


def _open_and_close(path: Path, artifacts: Path | None) -> None:
    """Have MLflow open a SQLite file, which makes its tables, and drop all connections to it."""
    from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore

    # The artifact root is that of MLflow's own experiment "Default": without it, it would follow
    # the working directory.
    store = SqlAlchemyStore(f"sqlite:///{path}", str(artifacts or path.parent))  # type: ignore[no-untyped-call]
    store.engine.dispose()
    _registry_engine(store.db_uri).dispose()


def _probe(uri: str) -> None:
    """Raise at once what MLflow would meet ten times in a hundred seconds: a database that cannot
    be opened.
    """
    from sqlalchemy import create_engine, inspect

    engine = create_engine(uri)
    try:
        inspect(engine).get_table_names()
    finally:
        engine.dispose()


@contextmanager
def answering(store: Store) -> Iterator[None]:
    """Turns what goes wrong in MLflow into a TrackingError: one sentence, without the password."""
    load()
    from alembic.util.exc import CommandError
    from mlflow.exceptions import MlflowException
    from sqlalchemy.exc import SQLAlchemyError

    try:
        with muted(NARRATOR, below=logging.CRITICAL):
            yield
    except (configparser.Error, UnicodeDecodeError):  # what it says has a line of the file in it
        raise TrackingError(
            "the file ~/.mlflow/credentials is not as MLflow reads it; write the lines [mlflow],"
            " mlflow_tracking_username = NAME and mlflow_tracking_password = PASSWORD (% as %%), or"
            " set the variables of these names. Nothing of the study is lost: `sweeps sync` writes"
            " what is missing"
        ) from None
    # A CommandError: the database is another program's, such as Optuna's own.
    except (
        MlflowException,
        SQLAlchemyError,
        CommandError,
        sqlite3.Error,
        ImportError,
        OSError,
    ) as error:
        raise TrackingError(
            f"MLflow at {store.shown} {_reason(error, store.uri)}; nothing of the study is lost: "
            "when MLflow is right again, `sweeps sync` writes what is missing"
        ) from None


def _reason(error: Exception, uri: str) -> str:
    from requests import RequestException

    cause = error.__cause__ or error.__context__
    if isinstance(cause, RequestException):
        return "does not answer"
    if isinstance(error, OSError) and error.strerror:
        return f"cannot be used ({error.strerror})"
    if STRANGE_HOST in str(error):
        return (
            "does not go by this name; use one that its --allowed-hosts lists, or have its"
            " administrator list this one"
        )
    if refused := REFUSED.get(getattr(error, "error_code", "")):
        return refused
    original = getattr(error, "orig", None) or getattr(cause, "orig", None) or error
    lines = str(original).strip().splitlines() or [type(error).__name__]
    return f"cannot be used ({redacted(lines[0], uri)[:300]})"
