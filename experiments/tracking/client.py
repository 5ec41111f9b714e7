"""MLflow's client: opened with short limits, its errors as one sentence each."""

import configparser
import logging
import os
import sqlite3
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from experiments.errors import TrackingError
from experiments.redaction import redacted
from experiments.tracking import database
from experiments.tracking.store import Store

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
KEPT = (
    "nothing of the study is lost: when MLflow is right again, `sweeps sync` writes what is missing"
)


def load() -> None:
    """Import MLflow, which takes two seconds, with SETTINGS in this process's environment."""
    for name, value in SETTINGS.items():
        os.environ.setdefault(name, value)
    with warnings.catch_warnings(action="ignore"):  # MLflow warns of its own code
        # What databases and models need too: calls have a limit.
        import mlflow.pyfunc
        import mlflow.store.tracking.sqlalchemy_store  # noqa: F401

    # It narrates how tables are made, and logs what it raises as well, with a traceback.
    logging.getLogger("mlflow.store.db.utils").setLevel(logging.CRITICAL + 1)


def open_client(store: Store) -> "MlflowClient":
    """A client for the store; a SQLite file that is not there yet is made."""
    from mlflow import MlflowClient
    from sqlalchemy import create_engine

    if store.file is None and store.is_database:
        create_engine(store.uri).connect().close()  # MLflow would try ten times, for 100 s
    elif store.file and not store.file.exists():
        database.make(store.file)
    return MlflowClient(tracking_uri=store.uri, registry_uri=store.uri)


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
        reason = _reason(error, store.uri)
        raise TrackingError(f"MLflow at {store.shown} {reason}; {KEPT}") from None


def _reason(error: Exception, uri: str) -> str:
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
    return f"cannot be used ({redacted(lines[0], uri)[:300]})"
