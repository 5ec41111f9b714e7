"""The file of a storage as this process left it, to notice that somebody else changed it."""

import os
from pathlib import Path

TAIL = 4_096  # bytes before the end of a journal that are compared


class WrittenFile:
    """A file that this process writes. `note` comes after each write.

    Of a journal, others may append to the end; SQLite's file may change anywhere.
    """

    def __init__(self, path: Path, *, is_journal: bool) -> None:
        self._path, self._is_journal = path, is_journal
        self.note()

    def note(self) -> None:
        """Note what the file is now. Raises OSError."""
        self._size = self._path.stat().st_size if self._is_journal else 0
        self._noted = self._read()

    @property
    def is_whole(self) -> bool:
        """Whether it is the same file, and has what was written."""
        try:
            return self._read() == self._noted
        except OSError:
            return False

    def _read(self) -> tuple[tuple[int, int], bytes]:
        """Return the file's device and inode, and the bytes before the noted size."""
        with self._path.open("rb") as file:
            status = os.fstat(file.fileno())
            start = max(self._size - TAIL, 0)
            file.seek(start)
            tail = file.read(self._size - start)
        return (status.st_dev, status.st_ino), tail
