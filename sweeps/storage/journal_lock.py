"""The journal's lock: as Optuna's own, which its other writers respect, but a dead driver's is
nobody's at once.
"""

import os
from pathlib import Path

from filelock import FileLock, Timeout
from optuna.storages.journal import JournalFileSymlinkLock

from experiments.errors import StorageError

SLOWEST_WRITE = 30  # seconds; Optuna's own limit for one who holds the lock


class JournalLock(JournalFileSymlinkLock):
    """Optuna's link, made and removed only by one who holds a lock of the operating system on the
    file `<journal>.guard`.

    Our link points to that file, Optuna's to the journal. So who holds the guard and finds a link
    to it knows that its maker has died. What the link of another program tells is left to Optuna:
    one that does not move for 30 s is removed.
    """

    def __init__(self, journal: str) -> None:
        super().__init__(journal, grace_period=SLOWEST_WRITE)
        self._journal, self._link = journal, f"{journal}.lock"
        # resolve() would follow a link
        self._lock_target_file = os.path.abspath(f"{journal}.guard")  # noqa: PTH100
        self._guard = FileLock(self._lock_target_file, fallback_to_soft=False, poll_interval=0.002)
        self._held = False

    def acquire(self) -> bool:
        """Wait for the lock; always True. Raises StorageError where another driver holds it and
        does not move.
        """
        try:
            self._guard.acquire(timeout=SLOWEST_WRITE)
        except Timeout:
            raise StorageError(
                f"{self._journal} has been locked for {SLOWEST_WRITE} s by a driver that does not"
                " move; continue it, or end it"
            ) from None
        try:
            if self._is_ours():
                Path(self._link).unlink()
            self._held = super().acquire()
        except BaseException:
            self._guard.release()
            raise
        return self._held

    def release(self) -> None:
        """Remove our link, and let the guard go. Before we hold it, Optuna calls this to remove the
        link of a dead stranger.
        """
        if not self._held:
            return super().release()
        self._held = False
        try:
            if self._is_ours():  # else a stranger has taken us for dead
                super().release()
        finally:
            self._guard.release()

    def _is_ours(self) -> bool:
        """Whether there is a link, and one of us made it."""
        try:
            return Path(self._link).samefile(self._lock_target_file)
        except FileNotFoundError:
            return False
