"""Writing: a file moved into place whole, so that a full disk never leaves half of one."""

import logging
import secrets
from collections.abc import Callable
from pathlib import Path

from experiments.errors import unwritable

logger = logging.getLogger(__name__)


def write_text(text: str, path: Path) -> Path:
    """Write a text in UTF-8. Raises DirectoryError."""
    return write_whole(path, lambda at: at.write_text(text, encoding="utf-8", newline="\n"))


def write_whole(path: Path, write: Callable[[Path], object]) -> Path:
    """Write a file under a temporary name and move it into place. Raises DirectoryError."""
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            write(temporary)
            temporary.replace(path)
        finally:
            temporary.unlink(missing_ok=True)
    except OSError as error:
        raise unwritable(path, error, f"check the permissions of {path.parent}") from None
    logger.debug("%s written", path)
    return path
