"""The lock of a study: one driver at a time. A second one is refused, a dead one's lock is free.

In a journal and in SQLite it is a lock of the operating system on a file, which ends with its
process. For PostgreSQL see database_lock.
"""

import json
import os
import socket
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from filelock import FileLock, Timeout

from experiments.errors import LockError

WAIT = 0.5  # seconds that a starting driver waits for a process that only looks at the lock
LOOK = 0.1  # seconds that a process that looks waits for another one


@dataclass(frozen=True)
class Owner:
    """The process that drives a study, and since when. Unknown fields are empty."""

    host: str = ""
    pid: int = 0
    since: str = ""

    @classmethod
    def here(cls) -> "Owner":
        return cls(socket.gethostname(), os.getpid(), iso(datetime.now(UTC)))

    def __str__(self) -> str:
        """For example: process 4711 on mill, since 2026-11-23T07:25:49Z."""
        if not self.pid:
            return "another process"
        return f"process {self.pid} on {self.host}, since {self.since}"

    def refusal(self, study: str) -> LockError:
        return LockError(
            f"study {study} is in use by {self}; wait until that has ended, end it, or start"
            " another study with --study NAME"
        )


def iso(time: datetime) -> str:
    """Return a time in UTC, to the second."""
    return time.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


class FileStudyLock:
    """A lock on the file `NAME.STUDY.driver` beside the storage, which names the owner."""

    def __init__(self, storage: str | Path, study: str) -> None:
        self._path, self._study = Path(f"{os.path.realpath(storage)}.{study}.driver"), study
        self._lock = self._new()

    def acquire(self) -> None:
        """Lock the file and write the owner. Raises LockError (naming the owner) or OSError."""
        try:
            self._lock.acquire(timeout=WAIT)
        except Timeout:
            raise (self._read() or Owner()).refusal(self._study) from None
        try:
            self._path.write_text(json.dumps(vars(Owner.here())))
        except BaseException:
            self.release()
            raise

    def release(self) -> None:
        """Empty the file, then unlock it. It stays: who waits for it must lock the same file."""
        if self._lock.is_locked:
            with suppress(OSError):  # its folder was moved or deleted, or is full
                self._path.write_text("")
            self._lock.release()

    def owner(self) -> Owner | None:
        """Try the lock for an instant. Where this process may not lock the file, trust its text."""
        if not self._path.exists():
            return None
        try:
            with self._new().acquire(timeout=LOOK):
                return None
        except Timeout:
            return self._read() or Owner()
        except OSError:
            return self._read()

    def _new(self) -> FileLock:
        return FileLock(self._path, fallback_to_soft=False, poll_interval=0.01)

    def _read(self) -> Owner | None:
        try:
            return Owner(**json.loads(self._path.read_text()))
        except (OSError, ValueError, TypeError):  # its owner has not written all of it yet
            return None
