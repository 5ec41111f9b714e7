"""The progress: what a person sees of a sweep while it runs."""

import os
import sys
import time
import warnings
from collections.abc import Callable
from types import TracebackType
from typing import TYPE_CHECKING, Self

from experiments.records import COMPLETE, StudyRecord, TrialRecord

if TYPE_CHECKING:
    from rich.progress import TaskID

SECONDS_BETWEEN_LINES = 2.0
WORTH_SAYING = 50  # trials that MLflow is behind


def counted(number: int, noun: str) -> str:
    """Return a number with its noun, such as `1 run` or `3,000 runs`."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


class Progress:
    """Counts trials and keeps the best and the baseline. This one shows nothing; it is a context
    manager around the search.
    """

    def __init__(self) -> None:
        self.began = False
        self.finished = self.trials = 0
        self._best: float | None = None
        self._baseline: float | None = None
        self._started = time.monotonic()
        self._new = 0

    def begin(self, study: StudyRecord, trials: int, *, behind: Callable[[], int] = int) -> None:
        """Say what is there already, how many trials there shall be, and how to ask how many wait
        to be written to MLflow.
        """
        self._behind = behind
        self.study, self.trials, self.began = study, trials, True
        for trial in study.trials:
            self._count(trial)
        self._started, self._new = time.monotonic(), 0
        self.show()

    def add(self, trial: TrialRecord) -> None:
        """Say that one more trial is recorded."""
        self._count(trial)
        self.show()

    def _count(self, trial: TrialRecord) -> None:
        self.finished += 1
        self._new += 1
        if trial.state == COMPLETE:
            value = self.study.value(trial)
            if self.finished == 1:
                self._baseline = value
            better = max if self.study.maximize else min
            self._best = value if self._best is None else better(value, self._best)

    @property
    def values(self) -> str:
        """The best so far against the baseline."""
        if self._best is None:
            return ""
        baseline = "" if self._baseline is None else f", baseline {self._baseline:.4f}"
        return f"best {self.study.objective} {self._best:.4f}{baseline}"

    @property
    def pace(self) -> str:
        """Trials a second, the time left, and how far MLflow is behind where that is far; empty
        when the search is over.
        """
        if not self._new or self.finished >= self.trials:
            return ""
        behind = self._behind()
        late = f"; MLflow {behind} behind" if behind >= WORTH_SAYING else ""
        return f"{self.rate:.1f} trials/s, {self.left} left{late}"

    @property
    def rate(self) -> float:
        """Trials per second since the search began."""
        return self._new / max(time.monotonic() - self._started, 1e-9)

    @property
    def left(self) -> str:
        """The time left at this rate, as minutes and seconds."""
        if not self._new:
            return "?"
        minutes, seconds = divmod(round((self.trials - self.finished) / self.rate), 60)
        hours, minutes = divmod(minutes, 60)
        return f"{hours}:{minutes:02}:{seconds:02}" if hours else f"{minutes}:{seconds:02}"

    def note(self, sentence: str) -> None:
        """Say what one should know, without ending anything."""
        warnings.warn(sentence, stacklevel=3)  # 3: the line that called sweeps.run

    def show(self) -> None:
        """Bring what is shown up to date."""

    def confirming(self, trained: int, networks: int) -> None:
        """Say that the search is over, and how many networks of the confirmation are trained."""

    def writing(self, waiting: int) -> None:
        """Say that nothing is trained any more, and how many runs still wait to be written to
        MLflow.
        """

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        pass


class Lines(Progress):
    """Plain lines on standard error, for an output that is no terminal."""

    _shown_at = float("-inf")
    _shown = -1

    def note(self, sentence: str) -> None:
        """Print it."""
        _print(sentence)

    def show(self) -> None:
        """Print a line, at most one in two seconds."""
        now = time.monotonic()
        if now - self._shown_at >= SECONDS_BETWEEN_LINES or (
            self.finished >= self.trials and self._shown != self.finished
        ):
            self._shown_at, self._shown = now, self.finished
            parts = [
                f"{self.study.study}: {self.finished}/{max(self.trials, self.finished)} trials",
                self.values,
                self.pace,
            ]
            _print("; ".join(filter(None, parts)))

    def confirming(self, trained: int, networks: int) -> None:
        """Print a line, at most one in two seconds."""
        self._print_now_and_then(f"confirming with fresh seeds, {trained}/{networks} networks")

    def writing(self, waiting: int) -> None:
        """Print a line, at most one in two seconds."""
        if waiting:
            self._print_now_and_then(f"writing to MLflow, {counted(waiting, 'run')} left")

    def _print_now_and_then(self, what: str) -> None:
        now = time.monotonic()
        if now - self._shown_at >= SECONDS_BETWEEN_LINES:
            self._shown_at = now
            _print(f"{self.study.study}: {what}")


def _print(line: str) -> None:
    """Write a line with its end at once: between the two calls that `print` makes, Ctrl-C would
    glue the next line to it.
    """
    sys.stderr.write(f"{line}\n")
    sys.stderr.flush()


class Bar(Progress):
    """A bar on standard error, for a terminal."""

    def __init__(self) -> None:
        super().__init__()
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, TextColumn
        from rich.progress import Progress as RichProgress

        self._bar = RichProgress(
            TextColumn("{task.description}"),
            BarColumn(bar_width=None),
            MofNCompleteColumn(),
            TextColumn("{task.fields[values]}"),
            TextColumn("{task.fields[speed]}", style="dim"),
            console=Console(stderr=True),
            expand=True,
        )
        self._writing: TaskID | None = None
        self._most_waiting = 0
        self._confirming: TaskID | None = None
        self._task = self._bar.add_task("starting", total=None, values="", speed="")

    def note(self, sentence: str) -> None:
        """Print it above the bar."""
        self._bar.console.print(sentence, markup=False, highlight=False)

    def show(self) -> None:
        """Move the bar."""
        self._bar.update(
            self._task,
            description=self.study.study,
            total=max(self.trials, self.finished),
            completed=self.finished,
            values=self.values,
            speed=self.pace,
        )

    def confirming(self, trained: int, networks: int) -> None:
        """Show a second bar, for the confirmation."""
        if self._confirming is None:
            self._confirming = self._bar.add_task(
                "confirming with fresh seeds", total=networks, values="", speed=""
            )
        self._bar.update(self._confirming, total=networks, completed=trained)

    def writing(self, waiting: int) -> None:
        """Show one more bar, for what MLflow is behind."""
        if self._writing is None:
            self._writing = self._bar.add_task("writing to MLflow", total=0, values="", speed="")
        self._most_waiting = max(self._most_waiting, waiting)
        self._bar.update(
            self._writing, total=self._most_waiting, completed=self._most_waiting - waiting
        )

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._bar.stop()


def for_terminal() -> Progress:
    """A bar where standard error is a terminal that can move its cursor, lines elsewhere."""
    return Bar() if sys.stderr.isatty() and os.environ.get("TERM") != "dumb" else Lines()
