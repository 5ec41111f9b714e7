"""The process: a tracker in a process of its own, because MLflow's client would take its 20 ms a
trial from the search.
"""

import gc
import os
import sqlite3
import threading
from collections.abc import Callable, Collection
from contextlib import closing, suppress
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from experiments.errors import TrackingError
from experiments.records import StudyRecord, TrialRecord
from experiments.tracking.runs import Key, Planned
from experiments.tracking.store import Store
from experiments.tracking.tracker import Tracker, Written
from experiments.worker import Worker

SLOWEST_START = 60.0  # seconds to import MLflow and to look at what it has
SLOWEST_CALL = (
    8.0  # seconds for a run or a file: MLflow's own limits are shorter, but not everything has one
)
SLOWEST_END = 0.5  # seconds; a run that is cut off is completed by the next sweep or sync
# objects between two looks for garbage: MLflow makes thousands a trial; it saves a tenth, of its
# import a fifth
RARELY = 50_000


class TrackerProcess:
    """As a Tracker, one call at a time; begun by `open`, ended by `close`. A process that died is
    an error of MLflow's.
    """

    def __init__(self, store: Store, study: StudyRecord) -> None:
        self.store, self._study = store, study
        self._process: Worker | None = None
        self._changing = threading.Lock()  # one thread at a time starts or ends the process
        self._closed = False

    def open(self) -> None:
        """Start the process and wait until it has imported MLflow, which takes over a second."""
        with self._changing:
            if self._closed:
                raise TrackingError(
                    f"nothing more is written to MLflow at {self.store.shown}; write what is"
                    " missing with: sweeps sync"
                )
            try:
                self._process = Worker(serve)
            except OSError as error:
                raise TrackingError(f"no process can be started for MLflow: {error}") from None
            self._connection = self._process.connection
        self._send((self.store, self._study))
        self._receive(SLOWEST_START)

    def write(self, trial: TrialRecord) -> Written:
        """Write a trial's run, complete it, or find that it is whole."""
        written: Written = self._call("write", trial)
        return written

    def put(self, planned: Planned) -> Written:
        """As `write`, for any run below the study's."""
        written: Written = self._call("put", planned)
        return written

    def outdated(self, confirmation: Collection[Key]) -> list[str]:
        """The runs of networks that are none of the confirmation's, of which these are all."""
        outdated: list[str] = self._call("outdated", confirmation)
        return outdated

    def delete(self, run_id: str) -> None:
        """Throw away a run below the study's."""
        self._call("delete", run_id)

    def log_file(self, path: Path) -> None:
        """Keep a file as an artifact of the study's run."""
        self._call("log_file", path)

    def keep_model(self, study: StudyRecord, folder: Path) -> bool:
        """Have the model of the study's verdict, where it is in the folder, registered and shown
        with the study's run.
        """
        written: bool = self._call("keep_model", study, folder)
        return written

    def finish(self, study: StudyRecord, *, tidy: bool = False) -> None:
        """Give the study's run its end, and what the verdict says; `tidy`: delete runs that are too
        many.
        """
        self._call("finish", study, tidy=tidy)

    def close(self) -> None:
        """End the process, and start no other; one that is in the middle of a call that takes long
        is ended all the same.

        From any thread: a start in another is waited for, as a child that is left halfway says so
        with a traceback.
        """
        with self._changing:
            self._closed = True
        self._end()

    def _end(self) -> None:
        with self._changing:
            if self._process is not None:
                self._process.end(SLOWEST_END)
                self._process = None

    def _call(self, name: str, *arguments: Any, **options: Any) -> Any:
        if self._process is None:
            self.open()
        self._send((name, arguments, options))
        return self._receive(SLOWEST_CALL)

    def _send(self, message: Any) -> None:
        try:
            self._connection.send(message)
        except OSError:
            raise self._died("ended") from None

    def _receive(self, limit: float) -> Any:
        try:
            if not self._connection.poll(limit):
                raise self._died(f"did not answer within {limit:g} s")
            error, result = self._connection.recv()
        except (EOFError, OSError):
            raise self._died("ended") from None
        if error is not None:
            raise error
        return result

    def _died(self, how: str) -> TrackingError:
        """The process is gone, or will be: the next call starts another."""
        self._end()
        return TrackingError(
            f"the process that writes to MLflow at {self.store.shown} {how}; write what is missing"
            " with: sweeps sync"
        )


def serve(connection: Connection) -> None:
    """Answer calls about a store and a study, which come first, until nobody is there to ask."""
    from sqlalchemy import event
    from sqlalchemy.engine import Engine

    gc.set_threshold(RARELY)
    try:
        store, study = connection.recv()
    except (EOFError, OSError):
        return
    if store.file:
        event.listen(Engine, "connect", write_back_lazily)
    try:
        tracker = Tracker(store, study)
        mine = (
            tracker.write, tracker.put, tracker.outdated, tracker.delete, tracker.log_file, tracker.finish, tracker.keep_model,
        )  # fmt: skip
        calls: dict[str, Callable[..., Any]] = {call.__name__: call for call in mine}
        answer(connection, tracker.open)
        gc.freeze()  # MLflow itself is no garbage
        while True:
            name, arguments, options = connection.recv()
            answer(connection, calls[name], *arguments, **options)
    except (
        EOFError,
        OSError,
    ):  # nobody is there to ask; an OSError where the search ended without reading an answer
        if store.file:
            gather(store.file)
        os._exit(0)  # all is written; taking MLflow apart would take a second


def gather(path: Path) -> None:
    """Bring what is in a SQLite file's write-ahead log into the file, so that who copies the one
    file has all.
    """
    # one that was deleted meanwhile is not made again, empty
    there = f"{path.absolute().as_uri()}?mode=rw"
    with (
        suppress(sqlite3.Error),
        closing(sqlite3.connect(there, uri=True, timeout=SLOWEST_END / 2)) as connection,
    ):
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")


def write_back_lazily(connection: Any, record: object) -> None:
    """Have SQLite wait for the disk at checkpoints alone, where it keeps a write-ahead log: nothing
    can be torn by that.

    What a power cut may lose is made again from the study. It saves 1.5 of 22 ms a trial.
    """
    if connection.execute("PRAGMA journal_mode").fetchone() == ("wal",):
        connection.execute("PRAGMA synchronous = NORMAL")


def answer(
    connection: Connection, call: Callable[..., Any], *arguments: Any, **options: Any
) -> None:
    """Send back (None, result), or (error, None)."""
    try:
        result = call(*arguments, **options)
    except Exception as error:  # sent to where somebody handles it
        connection.send((error, None))
    else:
        connection.send((None, result))
