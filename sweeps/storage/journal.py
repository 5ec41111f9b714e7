"""The journal: a study's records in a file, one JSON object per line, in Optuna's format."""

import json
import logging
import os
from pathlib import Path

from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend, JournalFileSymlinkLock

from experiments.errors import StorageError
from experiments.wording import quoted

OPENING = b'{"op_code":'  # how Optuna begins each record
GRACE = 5  # seconds after which the lock of a dead writer is removed

logger = logging.getLogger(__name__)


def open_journal(path: Path, *, writing: bool) -> JournalStorage:
    """Return the storage in a journal. For `writing`, a torn last record is cut off first; Optuna's
    reader ignores it. Raises StorageError if the file is no journal, or damaged before its end.
    """
    if path.exists() and not path.is_file():  # a pipe would keep us waiting
        raise StorageError(f"{path}: this is not a regular file; correct --storage, or move it")
    lock = JournalFileSymlinkLock(str(path), grace_period=GRACE)
    if writing and path.exists():
        lock.acquire()
        try:
            _mend(path)
        finally:
            lock.release()
    try:
        return JournalStorage(JournalFileBackend(str(path), lock))
    except OSError:
        raise
    except Exception as error:  # whatever Optuna makes of a record that was changed
        raise _damaged(path) from error


def _mend(path: Path) -> None:
    """Cut off what is left of a last record after a power cut or on a full disk."""
    data = path.read_bytes()
    head = data[: len(OPENING)]
    if not OPENING.startswith(head) and head.strip(b"\0"):
        raise _no_journal(path)
    start = data.rfind(b"\n", 0, -1) + 1
    if _is_whole(data[start:]) or not data:
        return
    with path.open("r+b") as file:
        file.truncate(start)
        os.fsync(file.fileno())
    logger.warning(
        f"{path}: its last record was cut short ({len(data) - start} bytes are there, probably by a"
        " power cut or a full disk); it is dropped, and what it recorded is computed again"
    )


def _is_whole(line: bytes) -> bool:
    try:
        return line.endswith(b"\n") and "op_code" in json.loads(line)
    except (ValueError, TypeError):
        return False


def _damaged(path: Path) -> StorageError:
    with path.open("rb") as file:
        number = next((n for n, line in enumerate(file) if not _is_whole(line)), None)
    if number == 0:
        return _no_journal(path)
    remedy = "restore a copy of the file"
    if number is None:
        return StorageError(f"{path}: a record in it is not as it was recorded; {remedy}")
    name = quoted(str(path))
    return StorageError(
        f"{path}, line {number + 1}: it is damaged, and other lines follow; {remedy}, or keep what"
        f" is before it, and the rest is computed again: head -n {number} {name} > kept && mv kept"
        f" {name}"
    )


def _no_journal(path: Path) -> StorageError:
    return StorageError(
        f"{path}, line 1: this is not a record of a study; correct --storage, or restore a copy"
    )
