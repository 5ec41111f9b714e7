"""The location: where the database of a directory says its artifacts are, put right after the
directory was moved.
"""

import re
import sqlite3
from contextlib import closing
from pathlib import Path
from urllib.parse import unquote, urlsplit

from experiments.tracking.store import ARTIFACTS, DATABASE, Store

COLUMNS = (
    ("experiments", "artifact_location"),
    ("runs", "artifact_uri"),
    ("logged_models", "artifact_location"),
    ("model_versions", "source"),
    ("model_versions", "storage_location"),
)


def moved(store: Store, location: str) -> bool:
    """Whether a location is that of a directory which is now the store's: it was moved there, or
    copied.

    Only in the directory's own database: any other has its artifacts where somebody put them.
    """
    ours = store.artifact_location
    if ours is None or store.artifacts is None or store.file != store.artifacts.with_name(DATABASE):
        return False
    if location == ours or not location.startswith("file:") or not location.endswith(_tail(ours)):
        return False
    return folder_of(ours).exists() or not folder_of(location).exists()


def move(store: Store, location: str) -> None:
    """Have the database name the store's directory wherever it names the one of this location.
    Raises sqlite3.Error, OSError.

    MLflow has no call for it: docs/decisions/0006.
    """
    ours = store.artifact_location
    if ours is None or store.file is None:
        return
    old, new = (one.removesuffix(_tail(ours)) + f"/{ARTIFACTS}/" for one in (location, ours))
    with closing(sqlite3.connect(store.file)) as connection, connection:
        for table, column in COLUMNS:
            connection.execute(
                f"UPDATE {table} SET {column} = ? || substr({column}, ?) WHERE substr({column}, 1,"
                " ?) = ?",
                (new, len(old) + 1, len(old), old),
            )


def folder_of(location: str) -> Path:
    """The folder of a file: URI."""
    return Path(unquote(urlsplit(location).path))


def _tail(location: str) -> str:
    """The part of a location that stays when the directory is moved."""
    return re.search(rf"/{ARTIFACTS}/[^/]+$", location).group()  # type: ignore[union-attr]  # as Store makes it
