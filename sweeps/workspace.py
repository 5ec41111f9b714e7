"""The workspace: a directory with studies, tracking and reports, or the servers in their place."""

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

from experiments.errors import FormatError, InputError, SweepsError, unwritable
from experiments.names import valid_name
from experiments.records import StudyRecord
from experiments.redaction import masked_url
from experiments.spec import Experiment
from experiments.tracking import Store, TrackerProcess, choose
from experiments.wording import quoted, relative, suggestion
from sweeps.search.search import Search
from sweeps.search.study import Study, open_study
from sweeps.search.study_record import StoredStudy, importances, load, study_record
from sweeps.storage.integrity import reading
from sweeps.storage.lock import Owner
from sweeps.storage.storage import (
    SUFFIX,
    answering,
    is_journal,
    journal_path,
    open_storage,
    study_lock,
)

if TYPE_CHECKING:
    from experiments.datasets import Dataset


@dataclass(frozen=True)
class Workspace:
    """Where things are kept: `storage` and `tracking_uri` are None if the directory has them."""

    directory: Path
    storage: str | None = None
    tracking_uri: str | None = None

    def storage_of(self, study: str) -> str:
        return self.storage or str(journal_path(self.directory, study))

    def options(self) -> str:
        """Return the options that reach this workspace from here, to be put behind a command."""
        directory = relative(self.directory)
        options = "" if directory == "." else f" --directory {quoted(directory)}"
        for name, url in (("--storage", self.storage), ("--tracking-uri", self.tracking_uri)):
            options += f" {name} {quoted(masked_url(url))}" if url else ""
        return options

    def shown_storage(self, study: str) -> str:
        """Return the storage of a study as text: short, and without its password."""
        url = self.storage_of(study)
        if "://" in url:
            return masked_url(url)
        return quoted(min(os.path.relpath(url), url, key=len))

    def reports_of(self, study: str) -> Path:
        return self.directory / "reports" / study

    def studies(self) -> list[str]:
        url = self.storage
        if url is None:
            return self._journals()
        if is_journal(url) and not Path(url).exists():
            return []
        with answering(url), reading(masked_url(url)):
            return sorted(study.study_name for study in open_storage(url).get_all_studies())

    def _journals(self) -> list[str]:
        return sorted(path.stem for path in (self.directory / "studies").glob(f"*{SUFFIX}"))

    def kept(self, note: Callable[[str], None]) -> Iterator[tuple[str, Mapping[str, Any] | None]]:
        """Yield the name of every study and what is kept on it, None if that cannot be read:
        `note` gets the reason.
        """
        places = [self, replace(self, storage=None)] if self.storage else [self]
        for name, study in chain.from_iterable(place.loaded() for place in places):
            if isinstance(study, StoredStudy):
                yield name, study.kept
            elif _is_ours(study):
                note(str(study))
                yield name, None

    def choose(self, study: str | None) -> str:
        """Return the study of this name, or the only one of sweeps. Raises InputError."""
        known = self.studies()
        if study is None and self.storage:
            known = [name for name, one in self.loaded() if _is_ours(one)]
        where = masked_url(self.storage) if self.storage else str(self.directory)
        if not known:
            raise InputError(f"{where}: there is no study yet; start one with: sweeps run digits")
        if study in known:
            return study
        if study is not None:
            remedy = suggestion(study, known)
            raise InputError(f"study {study}: there is no study of this name in {where}; {remedy}")
        if len(known) > 1:
            remedy = f"name one of {', '.join(known)}"
            raise InputError(f"{where}: there are {len(known)} studies; {remedy}")
        return known[0]

    def load(self, study: str) -> StoredStudy:
        """Return the Optuna study of this name. Raises ForeignStudyError."""
        check_name(study)  # others may write to the storage, and the name becomes that of a folder
        return load(self.storage_of(study), study)

    def loaded(self, study: str | None = None) -> Iterator[tuple[str, StoredStudy | SweepsError]]:
        """Yield every study by name, one that cannot be read as its error; or one study alone."""
        for name in [self.choose(study)] if study else self.studies():
            try:
                yield name, self.load(name)
            except SweepsError as error:
                if study:
                    raise
                yield name, error

    def record(self, study: str) -> StudyRecord:
        """Return a study as plain data, importances included."""
        loaded = self.load(study)
        with answering(self.storage_of(study)):
            return study_record(loaded, importances(loaded))

    def open(self, name: str, search: Search | Experiment, data: "Dataset | None" = None) -> Study:
        """Lock and open a study; if it is not there, create it with these data.

        Raises InputError, StudyError, LockError, StorageError, DirectoryError.
        """
        check_name(name)
        self._check_case(name)
        url = self.storage_of(name)
        if self.storage is None:
            try:
                Path(url).parent.mkdir(parents=True, exist_ok=True)
            except OSError as error:
                remedy = "check its permissions, or give another --directory"
                raise unwritable(self.directory, error, remedy) from None
        return open_study(url, name, search, data)

    def driver(self, study: str) -> Owner | None:
        url = self.storage_of(study)
        with answering(url):
            return study_lock(url, study).owner()

    @contextmanager
    def locked(self, study: str) -> Iterator[None]:
        """Hold the lock of a study: nobody else writes it, or its runs. Raises LockError."""
        url = self.storage_of(study)
        lock = study_lock(url, study)
        with answering(url):
            lock.acquire()
        try:
            yield
        finally:
            lock.release()

    def _check_case(self, name: str) -> None:
        """Raise InputError if a disk that ignores case has this name for another study's files."""
        others = [path.name for path in (self.directory / "reports").glob("*")]
        for other in others if self.storage else [*self._journals(), *others]:
            if other != name and other.casefold() == name.casefold():
                what = f"{other} is there already, and on some disks the two are one"
                remedy = f"write --study {other}, or another name"
                raise InputError(f"study {name}: {what}; {remedy}")

    def store(self, experiment: str) -> Store:
        return choose(self.directory, experiment, uri=self.tracking_uri, environ=os.environ)

    def tracker(self, study: StudyRecord) -> TrackerProcess:
        """Return what writes the study to MLflow, unopened."""
        return TrackerProcess(self.store(study.experiment.name), study)


def _is_ours(study: StoredStudy | SweepsError) -> bool:
    """Whether sweeps made a study, which may be one that cannot be read."""
    return isinstance(study, FormatError) or not isinstance(study, InputError)


def check_name(study: str) -> None:
    """Raise InputError if the name of a study cannot name its files."""
    try:
        valid_name(study)
    except ValueError as error:
        raise InputError(f"study {study[:120]!r}: {error}") from None


def workspace(
    directory: str | Path = ".", storage: str | None = None, tracking_uri: str | None = None
) -> Workspace:
    """Return the workspace of a directory, which need not exist yet."""
    if storage is not None and "://" not in storage:
        # resolve() would follow a link to a journal
        storage = os.path.abspath(storage)  # noqa: PTH100
    try:
        resolved = Path(directory).resolve()
        str(resolved).encode()  # databases need UTF-8
    except (OSError, ValueError) as error:
        where = f"--directory {str(directory)[:120]!r}"
        raise InputError(f"{where} cannot be one ({error}); choose another") from None
    return Workspace(resolved, storage, tracking_uri)
