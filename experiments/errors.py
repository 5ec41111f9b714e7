"""The errors that a person can do something about: each is one sentence, and knows the exit status
it ends with.
"""

import errno
from typing import ClassVar

FULL = {
    errno.ENOSPC,
    errno.EFBIG,
    getattr(errno, "EDQUOT", errno.ENOSPC),
}  # the disk, the limit of a file, the quota
MAKE_ROOM = "make room, then give the same command again: what was recorded is kept"


class SweepsError(Exception):
    """Base of all errors raised on purpose; its text says what, the value, the rule and the remedy."""

    exit_status: ClassVar[int] = 1

    def __str__(self) -> str:
        """The sentence on one line, also where a key or the name of a file has several."""
        return " ".join(super().__str__().splitlines())


class InputError(SweepsError):
    """Something that was given is wrong; nothing was changed."""

    exit_status: ClassVar[int] = 2


class ExperimentError(InputError):
    """The experiment file is wrong."""


class DataError(InputError):
    """The data cannot be used as the experiment asks."""


class StudyError(InputError):
    """The study is not the one that was asked for."""


class StrangerError(StudyError):
    """The study is there, but sweeps did not make it, or had not begun it when it was stopped."""


class StorageError(SweepsError):
    """The storage of the studies does not answer or cannot be used."""


class ClaimError(SweepsError):
    """Another process drives the study. What was asked for is right, and may be asked again: not an
    InputError.
    """


class TrackingError(SweepsError):
    """MLflow does not answer."""


class DirectoryError(SweepsError):
    """The directory cannot be written."""


class WorkersError(SweepsError):
    """The system starts no worker."""


def unwritable(
    what: object, error: OSError, remedy: str, *, full: str = MAKE_ROOM
) -> DirectoryError:
    """What an OSError that was met in writing comes to, as one sentence; a full disk has a remedy
    of its own.
    """
    reason = error.strerror or error  # some have a text alone
    return DirectoryError(
        f"{what} cannot be written ({reason}); {full if error.errno in FULL else remedy}"
    )
