"""The temporary folder: removed at its end, or by the next one if its process was killed."""

import secrets
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from filelock import FileLock

NAME = "sweeps-{}.lock"  # beside the folder, which is named without the ending
DIGITS = 16  # hexadecimal


@contextmanager
def temporary_folder() -> Iterator[Path]:
    """Make a folder for this block, and remove those whose process has died. Raises OSError.

    Who lives holds the lock on a file beside its folder, from before the folder is made. It is the
    system's lock, which ends with its process, in a container too.
    """
    parent = Path(tempfile.gettempdir())
    for lock in parent.glob(NAME.format("[0-9a-f]" * DIGITS)):
        with suppress(OSError), _locked(lock, timeout=0):  # locked, or another user's
            _remove(lock)
    lock = parent / NAME.format(secrets.token_hex(DIGITS // 2))
    with _locked(lock):
        try:
            folder = lock.with_suffix("")
            folder.mkdir(mode=0o700)
            yield folder
        finally:
            with suppress(OSError):  # the next one tries again
                _remove(lock)


def _locked(lock: Path, timeout: float = -1) -> FileLock:
    return FileLock(lock, timeout, fallback_to_soft=False)


def _remove(lock: Path) -> None:
    """Remove a folder, then its lock, which this process holds."""
    folder = lock.with_suffix("")
    if folder.exists():
        shutil.rmtree(folder)
    lock.unlink()
