"""The writer: writes trials to MLflow behind the search, which goes on whether MLflow answers or
not.
"""

import logging
import threading
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from experiments.errors import TrackingError
from experiments.records import TrialRecord
from experiments.tracking.store import Store
from experiments.tracking.tracker import Written

logger = logging.getLogger(__name__)

CAPACITY = 10_000  # trials that wait; one with 30 epochs weighs 10 kB
BEHIND = 16  # trials that wait before one more tracker is taken on
FIRST_PAUSE, LONGEST_PAUSE = 0.5, 30.0  # seconds between attempts while MLflow does not answer
PATIENCE = 10.0  # seconds that `close` waits for the next trial to be written
PATIENCE_WHEN_ABANDONED = 0.5


class TrialTracker(Protocol):
    """What writes one trial after another: a Tracker, here or in a process of its own."""

    store: Store

    def open(self) -> None: ...
    def write(self, trial: TrialRecord) -> Written: ...


@dataclass(frozen=True)
class Outcome:
    """How the writing ended: the runs by trial, the trials that are not on MLflow, and the error
    that was met last.

    `interrupted` is whether there was any error: a call that was given up may have been carried out
    all the same.
    """

    runs: Mapping[int, str] = field(default_factory=dict)
    unwritten: tuple[int, ...] = ()
    error: TrackingError | None = None
    interrupted: bool = False


class Writer:
    """One thread a tracker, which owns it until `close`. `put` never waits; what does not fit is
    left to `sweeps sync`.

    The first tracker begins at once. It makes the experiment and the study's run, so the others
    begin only after it has written something, and only when the search runs ahead.
    """

    def __init__(self, *trackers: TrialTracker, capacity: int = CAPACITY) -> None:
        self._capacity, self._store = capacity, trackers[0].store
        self._idle = deque(trackers)
        self._waiting: deque[TrialRecord] = deque()
        self._in_hand: list[int] = []
        self._left_out: list[int] = []
        self._runs: dict[int, str] = {}
        self._error: TrackingError | None = None
        self._interrupted = False
        self._bug: Exception | None = None
        self._closing = False
        self._threads = 0
        self._opened = threading.Event()
        self._changed = threading.Condition()
        self._take_on()

    @property
    def depth(self) -> int:
        """How many trials wait to be written, or are being written."""
        with self._changed:
            return len(self._waiting) + len(self._in_hand)

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
        """End after the trials that are being written, if that does not take long; what waits is
        left to the next run.
        """
        with self._changed:
            self._waiting.clear()
        self._close(PATIENCE_WHEN_ABANDONED, lambda depth: None)

    def close(
        self, *, patience: float = PATIENCE, observe: Callable[[int], None] = lambda depth: None
    ) -> Outcome:
        """Write what still waits, and end. Gives up at the first error, or when nothing was written
        for `patience` seconds.

        `observe` is told how many trials still wait. Raises what was raised in a thread and is no
        TrackingError: a bug.
        """
        self._opened.wait()  # importing MLflow is slow, not stuck
        return self._close(patience, observe)

    def _close(self, patience: float, observe: Callable[[int], None]) -> Outcome:
        with self._changed:
            self._closing = True
            self._changed.notify_all()
            while self._threads:
                observe(len(self._waiting) + len(self._in_hand))
                if not self._changed.wait(patience):
                    break
            observe(len(self._waiting) + len(self._in_hand))
            if self._bug:
                raise self._bug
            error = self._error
            if self._threads and error is None:
                error = TrackingError(
                    f"MLflow at {self._store.shown} took more than {patience:g} s to write one"
                    " trial"
                )
            unwritten = sorted(
                [trial.trial for trial in self._waiting] + self._in_hand + self._left_out
            )
            return Outcome(dict(self._runs), tuple(unwritten), error, self._interrupted)

    def _take_on(self) -> None:
        """Have one more tracker write."""
        self._threads += 1
        logger.debug("writer %d to MLflow begins", self._threads)
        # A daemon: a second Ctrl-C must not wait for it.
        threading.Thread(
            target=self._run, args=(self._idle.popleft(),), name="mlflow-writer", daemon=True
        ).start()

    def _run(self, tracker: TrialTracker) -> None:
        try:
            try:
                tracker.open()
            except TrackingError as error:
                with self._changed:
                    self._error = error  # the first write tries again
            finally:
                self._opened.set()
            self._write_all(tracker)
        except Exception as error:
            self._bug = error  # raised again where somebody sees it
        finally:
            with self._changed:
                self._threads -= 1
                self._changed.notify_all()

    def _write_all(self, tracker: TrialTracker) -> None:
        pause = 0.0
        while (trial := self._next(pause)) is not None:
            error, written = None, None
            try:
                written = tracker.write(trial)
            except TrackingError as met:
                error = met
            with self._changed:
                self._in_hand.remove(trial.trial)
                self._error = error
                self._interrupted |= error is not None
                if written:
                    logger.debug(
                        "trial %d is run %s%s",
                        trial.trial,
                        written.run_id,
                        "" if written.new else ", as it was",
                    )
                    self._runs[trial.trial], pause = written.run_id, 0.0
                    if self._idle and len(self._waiting) >= BEHIND:
                        self._take_on()
                else:
                    self._waiting.append(
                        trial
                    )  # at the end: one that cannot be written must not keep the others waiting
                    pause = min(max(2 * pause, FIRST_PAUSE), LONGEST_PAUSE)
                    logger.info(
                        "trial %d is not written: %s; trying again in %g s",
                        trial.trial,
                        error,
                        pause,
                    )
                self._changed.notify_all()
                if error and self._closing:
                    return

    def _next(self, pause: float) -> TrialRecord | None:
        """The trial to write next, after a pause; None at the end."""
        with self._changed:
            self._changed.wait_for(lambda: self._closing, timeout=pause)
            self._changed.wait_for(lambda: self._closing or self._waiting)
            if not self._waiting:
                return None
            trial = self._waiting.popleft()
            self._in_hand.append(trial.trial)
            return trial
