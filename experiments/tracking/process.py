"""The process: a tracker of its own, so that MLflow's client cannot hold up the search."""

import functools
import gc
import os
import threading
from collections.abc import Callable
from contextlib import AbstractContextManager, suppress
from multiprocessing.connection import Connection
from typing import TypeVar, TypeVarTuple

from experiments.errors import TrackingError
from experiments.records import StudyRecord
from experiments.tracking.client import load
from experiments.tracking.store import Store
from experiments.tracking.tracker import Tracker
from experiments.worker import TRIES, Worker

LONGEST_START = 60.0  # seconds to import and open MLflow, or to make its database
LONGEST_CALL = 8.0  # seconds for a run or a file; MLflow's own limits are shorter, if there is one
LONGEST_END = 0.5  # seconds; a run that is cut off is written again by the next sweep or sync
# Objects between two looks for garbage: MLflow makes thousands per trial. It saves a tenth.
RARELY = 50_000

Arguments = TypeVarTuple("Arguments")
R = TypeVar("R")


class TrackerProcess(AbstractContextManager["TrackerProcess"]):
    """Calls the methods of a Tracker in a process that is started when needed, and again when it
    died or took too long: a TrackingError, of deaths at the third of a call. One thread at a time,
    but for `close`.
    """

    def __init__(self, store: Store, study: StudyRecord) -> None:
        self.store, self.study = store, study
        self._process: Worker | None = None
        self._read = False  # whether the process knows what MLflow has
        self._closed = False
        self._changing = threading.Lock()  # held to start or to end the process

    def __exit__(self, *error: object) -> None:
        self.close()

    def open(self) -> None:
        self.call(Tracker.read)

    def call(self, method: Callable[[Tracker, *Arguments], R], *args: *Arguments) -> R:
        """Call a method of the tracker. Raises TrackingError after LONGEST_CALL."""
        for _ in range(TRIES):
            if self._process is None:
                self._start()
            makes_database = self.store.file and not self.store.file.exists()
            limit = LONGEST_CALL if self._read and not makes_database else LONGEST_START
            try:
                self._connection.send((method, *args))
                if not self._connection.poll(limit):
                    self._end()
                    raise TrackingError(self._sentence(f"did not answer within {limit:g} s"))
                answer: tuple[Exception | None, R] = self._connection.recv()
            except (EOFError, OSError):
                self._end()
                continue
            error, result = answer
            self._read = error is None  # else a call may have been carried out, its answer lost
            if error is not None:
                raise error
            return result
        raise TrackingError(self._sentence("ended"))

    def close(self) -> None:
        """End the process, also in the middle of a call, and start no other. From any thread."""
        with self._changing:
            self._closed = True
        self._end()

    def _start(self) -> None:
        with self._changing:
            if self._closed:
                raise TrackingError(self._sentence("was ended"))
            try:
                self._process = Worker(serve)
            except OSError as error:
                raise TrackingError(self._sentence(f"cannot be started ({error})")) from None
            self._connection = self._process.connection
        with suppress(OSError):  # if it has ended, the first call tells
            self._connection.send((self.store, self.study))

    def _end(self) -> None:
        with self._changing:
            if self._process is not None:
                self._process.end(LONGEST_END)
            self._process, self._read = None, False

    def _sentence(self, how: str) -> str:
        where = f"the process that writes to MLflow at {self.store.shown}"
        return f"{where} {how}; write what is missing with: sweeps sync"


def serve(connection: Connection) -> None:
    """Receive a store and a study, then answer calls with (error, result) until the end."""
    gc.set_threshold(RARELY)
    tracker = None
    try:
        tracker = Tracker(*connection.recv())
        while True:
            method, *args = connection.recv()
            if tracker.is_cut_off():
                os._exit(1)  # the next process opens the file that is there now, if one is
            try:
                _load_once()
                result = tracker.call(method, *args)
            except Exception as error:  # raised again where somebody handles it
                connection.send((error, None))
            else:
                connection.send((None, result))
    except (EOFError, OSError):  # also if the search ended without reading an answer
        if tracker:
            tracker.close()
        os._exit(0)  # all is written; taking MLflow apart would take a second


@functools.cache  # an error is not kept, so the next call tries again
def _load_once() -> None:
    load()
    gc.freeze()  # MLflow itself is no garbage
