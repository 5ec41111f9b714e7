"""MLflow's database as a SQLite file of sweeps: made whole, and moved with its directory."""

import itertools
import shutil
import sqlite3
from contextlib import chdir, closing, suppress
from pathlib import Path
from urllib.parse import unquote, urlsplit

from filelock import FileLock

from experiments.errors import InputError
from experiments.temporary import temporary_folder
from experiments.tracking.store import DATABASE, SQLITE, Store

LONGEST_LOCK = 5  # seconds to wait for another program; MLflow waits 20 at every statement
LOGS = ("-wal", "-shm")  # beside a SQLite file
LOCATIONS = (
    ("experiments", "artifact_location"),
    ("runs", "artifact_uri"),
    ("logged_models", "artifact_location"),
    ("model_versions", "source"),
    ("model_versions", "storage_location"),
)


def make(path: Path) -> None:
    """Make the database, whole or not at all, if nobody else has made it meanwhile.

    MLflow takes a second to make its tables, in a folder that the next one removes if we are
    killed. It writes the artifacts' location of its experiment "Default" below the working
    directory, and into SQL as Python shows a text: with both kinds of quotes that is no SQL.
    """
    from mlflow import MlflowClient

    path.parent.stat()  # a lock would make a folder that was moved away
    partial, lock = (path.with_name(f".{path.name}.{end}") for end in ("new", "lock"))
    with temporary_folder() as folder, chdir(folder):
        MlflowClient(f"{SQLITE}{folder}/made.db").search_experiments()
        with FileLock(lock, timeout=LONGEST_LOCK):
            if not path.exists():
                for log in LOGS:  # SQLite would write those of a deleted database into this one
                    path.with_name(path.name + log).unlink(missing_ok=True)
                try:
                    shutil.copyfile(folder / "made.db", partial)
                    with closing(sqlite3.connect(partial)) as connection:
                        connection.execute("PRAGMA journal_mode = WAL")  # 2.5 times cheaper writes
                        update = "UPDATE experiments SET artifact_location = ?"
                        connection.execute(update, [str(path.parent.resolve() / "mlruns" / "0")])
                        connection.commit()
                    partial.rename(path)
                finally:
                    partial.unlink(missing_ok=True)
            lock.unlink(missing_ok=True)  # who waits for it finds the database


def set_aside(store: Store) -> Path | None:
    """Rename the directory's own database, and the logs beside it; return what it is called then,
    or None if there is none. Raises InputError for another one.
    """
    if store.file is None or not store.is_own:
        raise InputError(
            f"--fresh: the runs are at {store.shown}, not in the directory's own {DATABASE}; leave"
            " out --tracking-uri and unset MLFLOW_TRACKING_URI"
        )
    path = store.file
    names = (path.with_stem(f"{path.stem}-old-{number}") for number in itertools.count(1))
    free = next(name for name in names if not name.exists())
    for end in (*LOGS, ""):  # the database last: `make` deletes logs that have none
        with suppress(FileNotFoundError):
            path.with_name(path.name + end).rename(free.with_name(free.name + end))
    return free if free.exists() else None


def check(path: Path, statement: str) -> None:
    """Raise sqlite3.Error if the statement fails, as in a database that is locked."""
    with closing(sqlite3.connect(path, timeout=LONGEST_LOCK, isolation_level=None)) as connection:
        connection.execute(statement)


def checkpoint(path: Path) -> None:
    """Bring what is in the write-ahead log into the file, so that a copy of the file has all."""
    existing = f"{path.absolute().as_uri()}?mode=rw"  # a deleted file must not be made again
    with (
        suppress(sqlite3.Error),
        closing(sqlite3.connect(existing, uri=True, timeout=0.2)) as connection,
    ):
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")


def moved(store: Store, location: str) -> bool:
    """Whether artifacts are recorded where the directory was before it moved (decision 6)."""
    ours = store.artifact_location
    if ours is None or not store.is_own:
        return False  # only in a directory's own database: elsewhere locations are people's choice
    if location == ours or not location.startswith("file:"):
        return False
    if location.split("/")[-2:] != ours.split("/")[-2:]:  # mlruns, and what is made of the name
        return False
    return _folder(ours).exists() or not _folder(location).exists()


def move(store: Store, location: str) -> str:
    """Replace a directory in all that MLflow records; the new location. Raises sqlite3.Error."""
    ours = store.artifact_location
    assert ours
    assert store.file
    old, new = (one[: one.rindex("/") + 1] for one in (location, ours))
    with closing(sqlite3.connect(store.file)) as connection, connection:
        for table, column in LOCATIONS:
            connection.execute(
                f"UPDATE {table} SET {column} = ? || substr({column}, ?)"
                f" WHERE substr({column}, 1, ?) = ?",
                (new, len(old) + 1, len(old), old),
            )
    return ours


def _folder(location: str) -> Path:
    return Path(unquote(urlsplit(location).path))
