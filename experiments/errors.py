"""The errors that a person can do something about: each is one sentence, and knows the exit status it ends with."""

from typing import ClassVar


class SweepsError(Exception):
    """Base of all errors raised on purpose; its text says what, the value, the rule and the remedy."""

    exit_status: ClassVar[int] = 1


class InputError(SweepsError):
    """Something that was given is wrong; nothing was changed."""

    exit_status: ClassVar[int] = 2


class ExperimentError(InputError):
    """The experiment file is wrong."""


class DataError(InputError):
    """The data cannot be used as the experiment asks."""


class StudyError(InputError):
    """The study is not the one that was asked for."""


class StorageError(SweepsError):
    """The storage of the studies does not answer or cannot be used."""


class ClaimError(SweepsError):
    """Another process drives the study. What was asked for is right, and may be asked again: not an InputError."""


class TrackingError(SweepsError):
    """MLflow does not answer."""


class DirectoryError(SweepsError):
    """The directory cannot be written."""
