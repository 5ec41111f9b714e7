"""The claim: one driver a study. A second one is refused, and the claim of one that died is taken
over.

On a journal it is a lock of the operating system, which ends with the process that holds it. On a
database it is a row: see row_claim.
"""

import json
import os
import socket
from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Protocol

from filelock import FileLock, Timeout

from experiments.errors import ClaimError

PATIENCE = (
    0.5  # seconds that a starting driver waits for somebody who only looks whether there is one
)
GLANCE = 0.1  # seconds that one who looks waits for another who looks


@dataclass(frozen=True)
class Owner:
    """The process that drives a study; `since` is ISO 8601 in UTC. What a claim does not tell is
    empty, or 0.
    """

    host: str = ""
    pid: int = 0
    since: str = ""

    @classmethod
    def here(cls) -> "Owner":
        """This process, from now on."""
        return cls(
            socket.gethostname(),
            os.getpid(),
            datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z"),
        )

    @classmethod
    def of(cls, claim: Mapping[str, Any]) -> "Owner":
        """The owner that a claim names."""
        return cls(
            str(claim.get("host", "")), int(claim.get("pid", 0)), str(claim.get("since", ""))
        )

    def __str__(self) -> str:
        """For example: process 4711 on mill, since 2026-11-23T07:25:49Z."""
        return (
            f"process {self.pid} on {self.host}, since {self.since}"
            if self.pid
            else "another process"
        )

    def refusal(self, study: str) -> ClaimError:
        """What a second driver is told."""
        return ClaimError(
            f"study {study} is in use by {self}; wait until that has ended, end it, or start a"
            " study of its own with --study NAME"
        )


class Claim(Protocol):
    """The right to write a study, and to write it to MLflow."""

    def acquire(self) -> None:
        """Take the claim. Raises ClaimError, naming the owner, where another process has it."""

    def release(self) -> None:
        """Give it back; nothing happens where it is not ours."""

    def owner(self) -> Owner | None:
        """Who has it; None where nobody has, or who had it is dead."""

    def fenced(self) -> AbstractContextManager[None]:
        """What is written to the study in this block is written only while the claim is ours, else
        ClaimError is raised.
        """


class FileClaim:
    """The claim on a study in a journal: a locked file beside it, which names the owner. It needs
    no fence: the lock of a process that is stopped stays.
    """

    def __init__(self, journal: str, study: str) -> None:
        self._path, self._study = Path(f"{os.path.realpath(journal)}.{study}.driver"), study
        self._lock = FileLock(self._path, fallback_to_soft=False, poll_interval=0.01)

    def acquire(self) -> None:
        """Lock the file, and write there who did. Raises OSError where the folder cannot be
        written.
        """
        try:
            self._lock.acquire(timeout=PATIENCE)
        except Timeout:
            raise (self._read() or Owner()).refusal(self._study) from None
        try:
            self._path.write_text(json.dumps(vars(Owner.here())))
        except BaseException:
            self.release()
            raise

    def release(self) -> None:
        """Remove the file and unlock it: in this order, or it could be another's by then."""
        if self._lock.is_locked:
            self._path.unlink(missing_ok=True)
            self._lock.release()

    def owner(self) -> Owner | None:
        """Who holds the lock. One who may not lock the file is told what is written there."""
        if not self._path.exists():
            return None
        glance = FileLock(self._path, fallback_to_soft=False, poll_interval=0.01)
        try:
            with glance.acquire(timeout=GLANCE):
                return None
        except Timeout:
            return self._read() or Owner()
        except OSError:
            return self._read()

    def fenced(self) -> AbstractContextManager[None]:
        """Nothing is to be looked at."""
        return nullcontext()

    def _read(self) -> Owner | None:
        try:
            return Owner.of(json.loads(self._path.read_text()))
        except (
            OSError,
            ValueError,
            AttributeError,
        ):  # its owner has not written it yet, or not to its end
            return None
