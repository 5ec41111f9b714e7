"""The journal: a study's records in a file, one JSON object a line, as Optuna's JournalStorage
replays them.
"""

import json
import logging
import os
import shlex
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from optuna.storages.journal import BaseJournalBackend

from experiments.errors import StorageError
from sweeps.storage.journal_lock import JournalLock

OPENING = b'{"op_code":'  # of every record that Optuna writes
ASIDE = ".torn"  # behind the journal's name: the file that keeps what was cut off

logger = logging.getLogger(__name__)


class Journal(BaseJournalBackend):
    """As Optuna's JournalFileBackend, the same file under the same lock, but for disks that fill up
    and power that is cut.

    A last line that is no whole record is torn: reading passes it over, because a live writer may
    be in the middle of it, and writing cuts it off first, under the lock, never gluing a record to
    it. A record is in the file whole, or not at all.
    """

    def __init__(self, path: str) -> None:
        self._path, self._lock = Path(path), JournalLock(path)
        self._begins = [
            0
            # where each record begins, and behind the last one that was read, where the next one
            # will
        ]

    def read_logs(self, log_number_from: int) -> Iterator[dict[str, Any]]:
        """The records from this number on. Raises StorageError where a line is damaged that is not
        the last.
        """
        if not self._path.exists():
            return
        with self._path.open("rb") as file:
            end = os.fstat(file.fileno()).st_size
            number = min(log_number_from, len(self._begins) - 1)
            file.seek(self._begins[number])
            for line in file:
                record = _record(line)
                behind = self._begins[number] + len(line)
                if record is None:
                    if behind < end or not (number or _begins_as_a_record(line)):
                        raise self._damaged(number)
                    return
                number += 1
                if number == len(self._begins):
                    self._begins.append(behind)
                if number > log_number_from:
                    yield record

    def append_logs(self, logs: list[dict[str, Any]]) -> None:
        """Write records behind the last whole one. Raises OSError, and then the file is as before."""
        data = "".join(json.dumps(log, separators=(",", ":")) + "\n" for log in logs).encode()
        with self._locked():
            self._cut()
            # Without a buffer, which would write its rest when it is closed, behind the cut.
            with self._path.open("ab", buffering=0) as file:
                end = file.tell()
                try:
                    written = 0
                    while written < len(data):
                        written += file.write(data[written:])
                    os.fsync(file.fileno())
                    if end == 0:
                        _sync_folder(self._path.parent)  # that the file is there must last too
                except OSError:
                    with suppress(
                        OSError
                    ):  # what cannot be taken back is a torn line, and cut off by who writes next
                        file.truncate(end)
                    raise

    def mend(self) -> None:
        """Cut off a torn last line, for somebody who is going to write. Raises OSError, and then
        the file is as before.
        """
        if self._torn():
            with self._locked():
                self._cut()

    @contextmanager
    def _locked(self) -> Iterator[None]:
        self._lock.acquire()
        try:
            yield
        finally:
            self._lock.release()

    def _torn(self) -> bytes:
        """What stands behind the last whole record."""
        for _ in self.read_logs(len(self._begins) - 1):
            pass
        if not self._path.exists():
            return b""
        with self._path.open("rb") as file:
            file.seek(self._begins[-1])
            return file.read()

    def _cut(self) -> None:
        """Take the torn line out of the journal, into a file beside it; under the lock, so it is
        nobody's who still writes.
        """
        torn = self._torn()
        if not torn:
            return
        aside = self._path.with_name(self._path.name + ASIDE)
        with aside.open("ab") as file:
            file.write(torn + b"\n")
            file.flush()
            os.fsync(file.fileno())
        with self._path.open("r+b") as file:
            file.truncate(self._begins[-1])
            os.fsync(file.fileno())
        logger.warning(
            f"{self._path}: its last record was cut short ({len(torn)} bytes are there, probably by"
            f" a power cut or a full disk); it is dropped (kept in {aside.name}), and what it"
            " recorded is made again"
        )

    def _damaged(self, number: int) -> StorageError:
        if number == 0:
            return StorageError(
                f"{self._path}, line 1: this is no record of a study; correct --storage, or put a"
                " copy back"
            )
        path = shlex.quote(str(self._path))
        return StorageError(
            f"{self._path}, line {number + 1}: it is damaged, and other lines follow; put a copy of"
            " the file back, or keep what is before it, and the rest is made again: head -n"
            f" {number} {path} > kept && mv kept {path}"
        )


def _record(line: bytes) -> dict[str, Any] | None:
    """The record in a line, or None where it is none, or not whole."""
    try:
        record = json.loads(line) if line.endswith(b"\n") else None
    except ValueError:  # no JSON, or no UTF-8
        return None
    return record if isinstance(record, dict) and "op_code" in record else None


def _begins_as_a_record(line: bytes) -> bool:
    """Whether a line may be what was left of a record: its beginning, or the zeros that a power cut
    leaves in its place.
    """
    return line.startswith((OPENING[: len(line)], b"\0"))


def _sync_folder(folder: Path) -> None:
    if hasattr(os, "O_DIRECTORY"):  # not on Windows
        descriptor = os.open(folder, os.O_DIRECTORY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
