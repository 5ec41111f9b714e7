"""The writer: writes trials to MLflow behind the search, which never waits for it."""

import logging
import threading
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from experiments.errors import TrackingError
from experiments.records import TrialRecord
from experiments.tracking.plan import trial_plan
from experiments.tracking.process import TrackerProcess
from experiments.tracking.tracker import Tracker

logger = logging.getLogger(__name__)

FIRST_PAUSE, LONGEST_PAUSE = 0.5, 30.0  # seconds between attempts while MLflow does not answer
LONGEST_ABANDONED = 0.5  # seconds that `abandon` waits for the run that is being written


@dataclass(frozen=True)
class Runs:
    """MLflow's run ids by trial; what went wrong; and how many confirmation runs are missing."""

    ids: Mapping[int, str] = field(default_factory=dict)
    error: TrackingError | None = None
    unconfirmed: int = 0


class Writer:
    """A thread that owns the tracker until `close`. `put` never waits."""

    def __init__(self, tracker: Tracker | TrackerProcess) -> None:
        self._tracker = tracker
        self._waiting: deque[TrialRecord] = deque()
        self._runs: dict[int, str] = {}
        self._error: TrackingError | None = None
        self._bug: Exception | None = None
        self._closing = self._abandoned = False
        self._changed = threading.Condition()
        # A daemon: a second Ctrl-C must not wait for it.
        self._thread = threading.Thread(target=self._run, name="mlflow-writer", daemon=True)
        self._thread.start()

    @property
    def depth(self) -> int:
        return len(self._waiting)

    @property
    def error(self) -> TrackingError | None:
        """Why nothing is written at the moment; None while MLflow answers."""
        return self._error

    def put(self, trial: TrialRecord) -> None:
        with self._changed:
            self._waiting.append(trial)
            self._changed.notify_all()

    def abandon(self) -> None:
        """End after the run that is being written, if that does not take long."""
        with self._changed:
            self._abandoned = self._closing = True
            self._changed.notify_all()
        self._thread.join(LONGEST_ABANDONED)

    def close(self, observe: Callable[[int], None] = lambda depth: None) -> Runs:
        """Write what still waits, and end; give up at the first error. `observe` is called with how
        many trials still wait. Raises what the thread raised if it is no TrackingError: a bug.
        """
        with self._changed:
            self._closing = True
            self._changed.notify_all()
            while self._thread.is_alive():
                observe(len(self._waiting))
                self._changed.wait(0.1)
        observe(len(self._waiting))
        if self._bug:
            raise self._bug
        return Runs(dict(self._runs), self._error)

    def _run(self) -> None:
        try:
            try:
                self._tracker.open()
            except TrackingError as error:
                self._error = error  # the first write tries again
            pause = 0.0
            while trial := self._next(pause):
                longer = min(max(2 * pause, FIRST_PAUSE), LONGEST_PAUSE)
                pause = 0.0 if self._write(trial) else longer
        except Exception as error:
            self._bug = error  # raised again where somebody sees it

    def _next(self, pause: float) -> TrialRecord | None:
        with self._changed:
            self._changed.wait_for(lambda: self._closing, timeout=pause)
            self._changed.wait_for(lambda: self._closing or self._waiting)
            return self._waiting[0] if self._waiting and not self._abandoned else None

    def _write(self, trial: TrialRecord) -> bool:
        closing = self._closing
        try:
            written = self._tracker.call(Tracker.write, trial_plan(self._tracker.study, trial))
        except TrackingError as error:
            logger.info("trial %d is not on MLflow: %s", trial.trial, error)
            with self._changed:
                self._error, self._abandoned = error, self._abandoned or closing
                self._waiting.rotate(-1)  # one that cannot be written must not keep others waiting
            return False
        logger.debug("trial %d is run %s, new: %s", trial.trial, *written)
        with self._changed:
            self._error = None
            self._runs[trial.trial] = written.run_id
            self._waiting.popleft()
            self._changed.notify_all()
        return True
