"""The storage: where studies are kept, as Optuna opens it."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import optuna
from optuna.storages import BaseStorage, RDBStorage

from experiments.errors import MAKE_ROOM, InputError, StorageError, unwritable
from experiments.redaction import masked_url, redacted
from sweeps.storage.database_lock import (
    DatabaseStudyLock,
    making_tables,
    parsed_url,
    reading_options,
)
from sweeps.storage.journal import open_journal
from sweeps.storage.lock import FileStudyLock

StudyLock = FileStudyLock | DatabaseStudyLock
SUFFIX = ".journal"
# What SQLite says of a full disk and of a file that may not grow, and PostgreSQL of its disk.
NO_ROOM = ("database or disk is full", "disk I/O error", "No space left on device")
NO_LOGIN = ("password authentication failed", "no password supplied")  # PostgreSQL's words


def create_study(**options: Any) -> optuna.Study:
    """Call Optuna's function without its message about the new study."""
    level = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(max(level, optuna.logging.WARNING))
    try:
        return optuna.create_study(**options)
    finally:
        optuna.logging.set_verbosity(level)


def journal_path(directory: Path, study: str) -> Path:
    """Return the journal of a study, which is used where no other storage is given."""
    return directory / "studies" / f"{study}{SUFFIX}"


def study_lock(url: str, study: str) -> StudyLock:
    """Return the lock of a study, which need not exist. Raises InputError for another storage."""
    path = file_of(url)
    with answering(url):
        return FileStudyLock(path, study) if path else DatabaseStudyLock(url, study)


def file_of(url: str) -> Path | None:
    """Return the file of a storage, None for PostgreSQL. Raises InputError for another storage."""
    if is_journal(url):
        return Path(url)
    with answering(url):
        parsed = parsed_url(url)
        backend = parsed.get_backend_name()
    if backend == "postgresql":
        return None
    if backend == "sqlite" and parsed.database:
        return Path(parsed.database)
    raise InputError(
        f"storage {masked_url(url)}: not supported; use a {SUFFIX} file, a file of SQLite such as"
        " sqlite:///studies.db, or a PostgreSQL such as postgresql+psycopg://user@host/name"
    )


def is_journal(url: str) -> bool:
    """Return whether a storage is a journal. Raises InputError if it is not a URL either."""
    if "://" not in url and not url.endswith(SUFFIX):
        raise InputError(
            f"storage {masked_url(url)}: neither a URL such as sqlite:///studies.db nor a path"
            f" ending in {SUFFIX}; correct --storage"
        )
    return "://" not in url


def open_storage(url: str, lock: StudyLock | None = None) -> BaseStorage:
    """Open a storage: to write a study whose lock is held, or to read without one.

    Raises InputError if it is no storage, StorageError if it does not answer.
    """
    with answering(url):
        if is_journal(url):
            return open_journal(Path(url), writing=lock is not None)
        database = _open_database(url)  # making tables takes Optuna several connections at once
        if not isinstance(lock, DatabaseStudyLock):
            return database
        return RDBStorage(
            url, lock.engine_options(), skip_compatibility_check=True, skip_table_creation=True
        )


def _open_database(url: str) -> RDBStorage:
    try:
        with making_tables(url):
            return RDBStorage(url, reading_options(url))
    except RuntimeError:  # Optuna's word for tables of another version
        raise StorageError(
            f"storage {masked_url(url)} was made by another version of Optuna than"
            f" {optuna.__version__}; install that one, or, if it is older, bring the storage up to"
            " this one with: optuna storage upgrade --storage URL"
        ) from None


@contextmanager
def answering(url: str) -> Iterator[None]:
    """Turn what goes wrong while a storage is used into one sentence, without its password."""
    storage = f"storage {masked_url(url)}"
    try:
        yield
    except ImportError as error:
        raise InputError(
            f"{storage}: the package for this database cannot be loaded ({error}); install the one"
            " for postgresql+psycopg with: pip install 'nnreg-sweeps[postgres]'"
        ) from None
    except OSError as error:
        raise unwritable(
            masked_url(url), error, "check its permissions, or give another --directory"
        ) from None
    except Exception as error:
        from sqlalchemy.exc import ArgumentError, SQLAlchemyError  # only now: it takes 0.2 s

        if isinstance(error, ArgumentError):
            raise InputError(
                f"{storage}: not a database URL; write for example"
                " postgresql+psycopg://user@host/name"
            ) from None
        if not isinstance(error, SQLAlchemyError | optuna.exceptions.StorageInternalError):
            raise
        said = getattr(error.__cause__, "orig", None) or getattr(error, "orig", None) or error
        reason = redacted(str(said).strip().splitlines()[0], url)
        if any(sign in reason for sign in NO_ROOM):
            raise StorageError(f"{storage} cannot be written ({reason}); {MAKE_ROOM}") from None
        if any(sign in reason for sign in NO_LOGIN):
            raise StorageError(
                f"{storage} refuses the login ({reason}); correct the user in --storage, or the"
                " password in PGPASSWORD or ~/.pgpass, where : and \\ in it are \\: and \\\\"
            ) from None
        raise StorageError(
            f"{storage} does not answer ({reason}); start it, or correct --storage; then run the"
            " same command again: what was recorded is kept"
        ) from None
