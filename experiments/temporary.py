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
            pass
    with _locked(parent / NAME.format(secrets.token_hex(DIGITS // 2))) as folder:
        folder.mkdir(mode=0o700)
        yield folder


@contextmanager
def _locked(lock: Path, timeout: float = -1) -> Iterator[Path]:
    """Hold the lock of a folder, and remove both at the end. Raises OSError."""
    folder = lock.with_suffix("")
    with FileLock(lock, timeout, fallback_to_soft=False):
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)
            if not folder.exists():  # else the next one tries again
                lock.unlink()
