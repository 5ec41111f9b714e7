"""The storage: where studies are kept, as Optuna opens it."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import optuna
from optuna.storages import BaseStorage, JournalStorage
from optuna.trial import FrozenTrial

from experiments.errors import MAKE_ROOM, InputError, StorageError, unwritable
from experiments.logging import muted
from experiments.redaction import masked_url, redacted
from sweeps.storage.database import Database
from sweeps.storage.database_lock import RowClaim
from sweeps.storage.journal import Journal
from sweeps.storage.lock import Claim, FileClaim
from sweeps.storage.retry import Patience

SUFFIX = ".journal"
# What SQLite says of a full disk, of a file that may not grow, and PostgreSQL of its own disk.
NO_ROOM = ("database or disk is full", "disk I/O error", "No space left on device")
NO_LOGIN = ("password authentication failed", "no password supplied")  # PostgreSQL's words
ATTEMPTS = 4  # at a new database: it has several tables

# Which of Optuna's loggers tell of a new study.
CREATING = (
    "optuna.storages.journal._storage",
    "optuna.storages._rdb.storage",
    "optuna.storages._in_memory",
)


def create_study(**options: Any) -> optuna.Study:
    """As Optuna's function, which also tells of it."""
    with muted(*CREATING):
        return optuna.create_study(**options)


def journal_path(directory: Path, study: str) -> Path:
    """The journal of a study, where no other storage is asked for."""
    return directory / "studies" / f"{study}{SUFFIX}"


def open_storage(
    url: str, *, writing: bool = False, patience: Patience | None = None
) -> BaseStorage:
    """The storage at a URL, or the journal at a path that ends in .journal (its folder must be
    there).

    For `writing`, a record that was torn is taken out of the journal first; who only reads leaves
    it as it is. A database that answers now and is gone later is waited for with `patience`, or not
    at all.

    Raises InputError where it is neither, StorageError where nothing answers.
    """
    if "://" not in url:
        if not url.endswith(SUFFIX):
            raise InputError(
                f"storage {masked_url(url)}: neither a URL such as sqlite:///studies.db nor a path"
                f" ending in {SUFFIX}; correct --storage"
            )
        with answering(url):
            journal = Journal(url)
            storage = JournalStorage(journal)
            if writing:
                journal.mend()
            return storage
    if url.startswith("redis"):
        raise InputError(
            f"storage {masked_url(url)}: Redis is not supported; use a .journal file or a database such"
            " as postgresql+psycopg://"
        )
    with answering(url):
        check_url(url)
        return _database(url, patience or Patience())


def _database(url: str, patience: Patience) -> Database:
    """Optuna makes a new database's tables without looking whether another process is at it: who
    was too late tries again.
    """
    from sqlalchemy.exc import IntegrityError, SQLAlchemyError

    for _ in range(ATTEMPTS):
        with suppress(IntegrityError):
            try:
                return Database(url, patience)
            except (SQLAlchemyError, optuna.exceptions.StorageInternalError) as error:
                if (
                    isinstance(error, IntegrityError)
                    or "already exists" not in f"{error} {error.__cause__}"
                ):
                    raise
    return Database(url, patience)


def hang_up(storage: BaseStorage) -> None:
    """Close the connections to a database. The storage may be used again."""
    if isinstance(storage, Database):
        storage.engine.dispose()


def claim_on(storage: BaseStorage, url: str, study: str) -> Claim:
    """The claim on a study, not taken yet; in a database the study must be there (KeyError)."""
    if isinstance(storage, Database):
        return RowClaim(storage, storage.get_study_id_from_name(study), study)
    return FileClaim(url, study)


def add_trial(
    storage: BaseStorage, study_id: int, trial: FrozenTrial, last: int | None
) -> tuple[int, int]:
    """Write a trial behind the last one of ours, whose id is given; its own id, and its number. As
    study.add_trial, which does not say which number it gave: to look for it takes a walk through
    all trials.
    """
    if isinstance(storage, Database):
        return storage.add(study_id, trial, last)
    trial_id = storage.create_new_trial(study_id, template_trial=trial)
    return trial_id, storage.get_trial_number_from_id(trial_id)


def check_url(url: str) -> None:
    """Raise ArgumentError where the text is no database URL; its port, which SQLAlchemy reads
    without a check, included.
    """
    from sqlalchemy.engine import make_url
    from sqlalchemy.exc import ArgumentError

    try:
        make_url(url)
    except ValueError:
        raise ArgumentError("the port is no number") from None


@contextmanager
def answering(url: str) -> Iterator[None]:
    """Turns what goes wrong while a storage is used into one sentence, without the password."""
    from sqlalchemy.exc import ArgumentError, NoSuchModuleError, SQLAlchemyError

    try:
        yield
    except (ArgumentError, NoSuchModuleError):
        raise InputError(
            f"storage {masked_url(url)}: not a database URL; write for example"
            " postgresql+psycopg://user@host/name"
        ) from None
    except ImportError as error:
        package = (
            error.name or getattr(error.__cause__, "name", None) or url.partition("://")[0]
        )  # some come without a name
        remedy = (
            "write: pip install 'nnreg-sweeps[postgres]'"
            if package.endswith("psycopg")
            else "install it with pip"
        )
        raise InputError(
            f"storage {masked_url(url)}: the package for this database is missing ({package}); {remedy}"
        ) from None
    except (SQLAlchemyError, optuna.exceptions.StorageInternalError) as error:
        reason = (
            str(getattr(error.__cause__, "orig", None) or getattr(error, "orig", None) or error)
            .strip()
            .splitlines()[0]
        )
        reason = redacted(reason, url)
        if any(sign in reason for sign in NO_ROOM):
            raise StorageError(
                f"storage {masked_url(url)} cannot be written ({reason}); {MAKE_ROOM}"
            ) from None
        if any(sign in reason for sign in NO_LOGIN):
            raise StorageError(
                f"storage {masked_url(url)} does not let in ({reason}); correct the user in --storage,"
                " or the password in PGPASSWORD or ~/.pgpass, where : and \\ in it are \\: and"
                " \\\\"
            ) from None
        raise StorageError(
            f"storage {masked_url(url)} does not answer ({reason}); start it, or correct --storage"
        ) from None
    except OSError as error:
        raise unwritable(
            masked_url(url), error, "check its permissions, or give another --directory"
        ) from None
