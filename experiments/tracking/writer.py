"""The writer: writes trials to MLflow behind the search, which goes on whether MLflow answers or not."""

import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from experiments.errors import TrackingError
from experiments.records import TrialRecord
from experiments.tracking.client import load
from experiments.tracking.tracker import Tracker

CAPACITY = 10_000  # trials that wait; one with 30 epochs weighs 10 kB
FIRST_PAUSE, LONGEST_PAUSE = 0.5, 30.0  # seconds between attempts while MLflow does not answer
PATIENCE = 10.0  # seconds that `close` waits for the next trial to be written
PATIENCE_WHEN_ABANDONED = 1.0


@dataclass(frozen=True)
class Outcome:
    """How the writing ended: the numbers of the trials that are not on MLflow, and the error that was met last."""

    written: int
    unwritten: tuple[int, ...]
    error: TrackingError | None


class Writer:
    """A thread that owns a tracker until `close`. `put` never waits; what does not fit is left to `sweeps sync`."""

    def __init__(self, tracker: Tracker, *, capacity: int = CAPACITY) -> None:
        self._tracker, self._capacity = tracker, capacity
        self._waiting: deque[TrialRecord] = deque()
        self._left_out: list[int] = []
        self._written, self._error, self._bug = 0, None, None  # type: tuple[int, TrackingError | None, Exception | None]
        self._closing = self._ended = False
        self._loaded = threading.Event()
        self._changed = threading.Condition()
        # A daemon: a second Ctrl-C must not wait for it.
        self._thread = threading.Thread(target=self._run, name="mlflow-writer", daemon=True)
        self._thread.start()

    @property
    def depth(self) -> int:
        """How many trials wait to be written."""
        with self._changed:
            return len(self._waiting)

    @property
    def error(self) -> TrackingError | None:
        """Why nothing is written at the moment; None while MLflow answers."""
        with self._changed:
            return self._error

    def put(self, trial: TrialRecord) -> None:
        """Have a trial written."""
        with self._changed:
            if len(self._waiting) < self._capacity:
                self._waiting.append(trial)
                self._changed.notify_all()
            else:
                self._left_out.append(trial.trial)

    def abandon(self) -> None:
        """End after the trial that is being written, if that does not take long; what waits is left to the next run."""
        self._loaded.wait()
        with self._changed:
            while len(self._waiting) > 1:  # the first may be being written
                self._waiting.pop()
        self.close(patience=PATIENCE_WHEN_ABANDONED)

    def close(self, *, patience: float = PATIENCE, observe: Callable[[int], None] = lambda depth: None) -> Outcome:
        """Write what still waits, and end. Gives up at the first error, or when nothing was written for `patience` seconds.

        `observe` is told how many trials still wait. Raises what was raised in the thread and is no TrackingError: a bug.
        """
        self._loaded.wait()
        with self._changed:
            self._closing = True
            self._changed.notify_all()
            while not self._ended:
                observe(len(self._waiting))
                if not self._changed.wait(patience):
                    break
            if self._bug:
                raise self._bug
            unwritten = sorted([trial.trial for trial in self._waiting] + self._left_out)
            error = self._error
            if not self._ended and error is None:
                error = TrackingError(f"MLflow at {self._tracker.store.shown} took more than {patience:g} s to write one trial")
            return Outcome(self._written, tuple(unwritten), error)

    def _run(self) -> None:
        try:
            try:
                load()  # in this thread, so that the search starts meanwhile
            finally:
                self._loaded.set()
            self._write_all()
        except Exception as error:
            self._bug = error  # raised again where somebody sees it
        finally:
            with self._changed:
                self._ended = True
                self._changed.notify_all()

    def _write_all(self) -> None:
        pause = 0.0
        while (trial := self._next(pause)) is not None:
            error = None
            try:
                self._tracker.write(trial)
            except TrackingError as met:
                error = met
            with self._changed:
                self._error = error
                if error is None:
                    self._waiting.popleft()
                    self._written, pause = self._written + 1, 0.0
                else:
                    self._waiting.rotate(-1)  # one trial that cannot be written must not keep the others waiting
                    pause = min(max(2 * pause, FIRST_PAUSE), LONGEST_PAUSE)
                self._changed.notify_all()
                if error and self._closing:
                    return

    def _next(self, pause: float) -> TrialRecord | None:
        """The trial to write next, after a pause; None at the end. It stays in line until it is written."""
        with self._changed:
            self._changed.wait_for(lambda: self._closing, timeout=pause)
            self._changed.wait_for(lambda: self._closing or self._waiting)
            return self._waiting[0] if self._waiting else None
