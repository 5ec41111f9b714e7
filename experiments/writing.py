"""Writing: a file moved into place whole, so that a full disk never leaves half of one."""

import logging
import secrets
from collections.abc import Callable
from pathlib import Path

from experiments.errors import InputError, unwritable

logger = logging.getLogger(__name__)


def check_new(path: Path, suffix: str, what: str, given: str) -> None:
    """Raise InputError unless this can be the name of a new file; `given` is what stands before it
    in the command.
    """
    if path.suffix != suffix:
        reason = f"{what} ends with {suffix}; write {given}{path.name}{suffix}"
    elif path.exists():
        reason = f"it exists, and is never overwritten; delete it, or write {given}FILE{suffix}"
    elif not path.parent.is_dir():
        reason = f"there is no directory {path.parent}; make it, or write {given}FILE{suffix}"
    else:
        return
    raise InputError(f"{path}: {reason}")


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
