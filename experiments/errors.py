"""The errors that a person can do something about: one sentence each, and an exit status."""

import errno
from typing import ClassVar

FULL = {errno.ENOSPC, errno.EFBIG, errno.EDQUOT}  # the disk, the limit of a file, the quota
MAKE_ROOM = "make room, then run the same command again: what was recorded is kept"


class SweepsError(Exception):
    """Base of all errors raised on purpose. The text says what, the value, the rule, the remedy."""

    exit_status: ClassVar[int] = 1

    def __str__(self) -> str:
        """Return the sentence on one line, also if a key or the name of a file has several."""
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


class ForeignStudyError(StudyError):
    """Sweeps did not create the study, or was stopped before it began it."""


class FormatError(ForeignStudyError):
    """Another version of sweeps began the study, in another format."""


class StorageError(SweepsError):
    """The storage of the studies does not answer or cannot be used."""


class LockError(SweepsError):
    """Another process drives the study."""


class TrackingError(SweepsError):
    """MLflow does not answer."""


class DatabaseError(TrackingError):
    """MLflow's database is broken, or of another version of MLflow."""


class DirectoryError(SweepsError):
    """The directory cannot be written."""


class WorkersError(SweepsError):
    """The system starts no worker."""


def unwritable(
    what: object, error: OSError, remedy: str, *, full: str = MAKE_ROOM
) -> DirectoryError:
    """Return the error for an OSError while writing; a full disk has a remedy of its own."""
    reason = error.strerror or error  # some have a text alone
    remedy = full if error.errno in FULL else remedy
    return DirectoryError(f"{what} cannot be written ({reason}); {remedy}")
