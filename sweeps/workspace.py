"""The workspace: a directory with its studies, its tracking and its reports, or the servers that
stand in for them.
"""

import os
import shlex
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import optuna

from experiments.errors import ForeignStudyError, InputError, unwritable
from experiments.names import valid_name
from experiments.records import StudyRecord
from experiments.redaction import masked_url
from experiments.spec import Experiment
from experiments.tracking import Store, Tracker, choose
from experiments.wording import suggestion
from sweeps.search.importance import importances
from sweeps.search.search import Search
from sweeps.search.study import BIRTH, Study, open_study, study_record
from sweeps.storage.lock import Claim, Owner
from sweeps.storage.retry import Patience
from sweeps.storage.storage import (
    SUFFIX,
    answering,
    claim_on,
    hang_up,
    journal_path,
    open_storage,
)

if TYPE_CHECKING:
    from optuna.study._frozen import FrozenStudy

    from experiments.datasets import Dataset


@dataclass(frozen=True)
class Workspace:
    """Where things are kept. `storage` and `tracking_uri` are as the options of the same name; None
    means in the directory.
    """

    directory: Path
    storage: str | None = None
    tracking_uri: str | None = None

    def storage_of(self, study: str) -> str:
        """The URL or path of the storage that keeps a study."""
        return self.storage or str(journal_path(self.directory, study))

    def options(self) -> str:
        """The options that reach this workspace from here, to be put behind a command."""
        directory = os.path.relpath(self.directory)
        options = (
            ""
            if directory == "."
            else (
                " --directory"
                f" {shlex.quote(str(self.directory) if directory.startswith('..') else directory)}"
            )
        )
        for name, url in (("--storage", self.storage), ("--tracking-uri", self.tracking_uri)):
            options += f" {name} {shlex.quote(masked_url(url))}" if url else ""
        return options

    def shown_storage(self, study: str) -> str:
        """The storage that keeps a study, as short as it can be written from here, without its
        password.
        """
        url = self.storage_of(study)
        return (
            masked_url(url)
            if "://" in url
            else shlex.quote(min(os.path.relpath(url), url, key=len))
        )

    def reports_of(self, study: str) -> Path:
        """The folder of a study's reports."""
        return self.directory / "reports" / study

    def studies(self) -> list[str]:
        """The names of the studies, sorted."""
        if self.storage is None:
            return sorted(path.stem for path in (self.directory / "studies").glob(f"*{SUFFIX}"))
        return sorted(study.study_name for study in self._stored(self.storage))

    def _begun(self) -> list[str]:
        """The names of those that others have not made; in a folder of journals all of them."""
        if self.storage is None:
            return self.studies()
        return sorted(
            study.study_name for study in self._stored(self.storage) if BIRTH in study.user_attrs
        )

    def _stored(self, storage: str) -> "list[FrozenStudy]":
        """All that is in a storage; nothing is where its file is not."""
        if "://" not in storage and not Path(storage).exists():
            return []
        with answering(storage):
            return open_storage(storage).get_all_studies()

    def attributes(self, opened: Study) -> Iterator[tuple[str, Mapping[str, Any]]]:
        """The name and the attributes of every study of the directory and of the storage, whoever
        made it; a study is open.
        """
        urls = [str(path) for path in sorted((self.directory / "studies").glob(f"*{SUFFIX}"))]
        for url in [*urls, *([self.storage] if self.storage else [])]:
            with answering(url):
                storage = opened.storage if url == self.storage else open_storage(url)
                for study in storage.get_all_studies():
                    yield study.study_name, study.user_attrs

    def choose(self, study: str | None) -> str:
        """The study of this name, or the only one that is ours. Raises InputError where there is
        none, or more than one.
        """
        known = self._begun() if study is None else self.studies()
        where = masked_url(self.storage) if self.storage else str(self.directory)
        if not known:
            raise InputError(f"{where}: there is no study yet; make one with: sweeps run digits")
        if study is None and len(known) == 1:
            return known[0]
        if study is None:
            raise InputError(
                f"{where}: there are {len(known)} studies; name one of {', '.join(known)}"
            )
        if study not in known:
            raise InputError(
                f"study {study}: there is none of this name in {where}; {suggestion(study, known)}"
            )
        return study

    def load(self, study: str) -> "optuna.Study":
        """The Optuna study of this name, which must be there. Raises ForeignStudyError where it is none
        of ours.
        """
        checked(study)  # others may write to the storage too, and the name becomes that of a folder
        url = self.storage_of(study)
        with answering(url):
            try:
                loaded = optuna.load_study(study_name=study, storage=open_storage(url))
            except KeyError:  # a run that was killed before it made the study
                loaded = None
            if loaded is None or BIRTH not in loaded.user_attrs:
                raise ForeignStudyError(
                    f"study {study}: it was never begun, or sweeps did not make it; make one with:"
                    " sweeps run digits"
                )
            return loaded

    def record(self, study: str) -> StudyRecord:
        """A study as plain data, importances included."""
        loaded = self.load(study)
        with answering(self.storage_of(study)):
            return study_record(loaded, importances(loaded))

    def open(
        self,
        name: str,
        search: Search | Experiment,
        data: "Dataset | None" = None,
        patience: Patience | None = None,
    ) -> Study:
        """The study of this name for this search, made now if it is not there, with these data; it
        is ours to write until it is closed. A database that is gone meanwhile is waited for with
        `patience`, or not at all.

        Raises InputError, StudyError, ClaimError, StorageError, DirectoryError.
        """
        checked(name)
        self._check_apart(name)
        url = self.storage_of(name)
        with self.writing():
            if self.storage is None:
                Path(url).parent.mkdir(parents=True, exist_ok=True)
        return open_study(
            open_storage(url, writing=True, patience=patience), url, name, search, data
        )

    def driver(self, study: str) -> Owner | None:
        """Who drives a study that is there at this moment."""
        with self._claim(study) as claim:
            return claim.owner()

    @contextmanager
    def claimed(self, study: str) -> Iterator[None]:
        """Nobody else writes the study, or writes it to MLflow, in this block. Raises ClaimError
        where somebody does already.
        """
        with self._claim(study) as claim, ExitStack() as stack:
            claim.acquire()
            stack.callback(claim.release)
            yield

    @contextmanager
    def _claim(self, study: str) -> Iterator[Claim]:
        url = self.storage_of(study)
        with answering(url), ExitStack() as stack:
            storage = open_storage(url)
            stack.callback(hang_up, storage)
            yield claim_on(storage, url, study)

    def _check_apart(self, name: str) -> None:
        """Raise InputError where a study is there whose files are those of this one on a disk that
        knows no capitals.
        """
        there = (
            [path.stem for path in (self.directory / "studies").glob(f"*{SUFFIX}")]
            if self.storage is None
            else []
        )
        there += [path.name for path in (self.directory / "reports").glob("*")]
        for other in there:
            if other != name and other.casefold() == name.casefold():
                raise InputError(
                    f"study {name}: {other} is there already, and on some disks the two are one;"
                    f" write --study {other}, or another name"
                )

    def store(self, experiment: str) -> Store:
        """Where MLflow keeps an experiment of this name; nothing is opened. Raises InputError for
        an impossible URI.
        """
        return choose(self.directory, experiment, uri=self.tracking_uri, environ=os.environ)

    def tracker(self, study: StudyRecord) -> Tracker:
        """What writes the study to MLflow; nothing is opened yet."""
        return Tracker(self.store(study.experiment.name), study)

    @contextmanager
    def writing(self) -> Iterator[None]:
        """Turns a directory that cannot be written into one sentence."""
        try:
            yield
        except OSError as error:
            raise unwritable(
                self.directory, error, "check its permissions, or give another --directory"
            ) from None


def checked(study: str) -> str:
    """The name of a study, when it is one that can name its files. Raises InputError."""
    try:
        return valid_name(study)
    except ValueError as error:
        raise InputError(f"study {study[:120]!r}: {error}") from None


def workspace(
    directory: str | Path = ".", storage: str | None = None, tracking_uri: str | None = None
) -> Workspace:
    """The workspace of a directory, which need not be there yet; a storage path is relative to
    where one stands.
    """
    if storage is not None and "://" not in storage:
        storage = os.path.abspath(storage)  # resolve() would follow a link to a journal  # noqa: PTH100
    try:
        resolved = Path(directory).resolve()
        str(resolved).encode()
    except UnicodeEncodeError:
        raise InputError(
            f"--directory {str(directory)!r}: its path is not UTF-8, which databases need; choose"
            " another"
        ) from None
    except (OSError, ValueError) as error:
        raise InputError(
            f"--directory {str(directory)[:120]!r}: not a directory ({error}); correct it"
        ) from None
    return Workspace(resolved, storage, tracking_uri)
