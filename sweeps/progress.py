"""The progress: what a person sees of a sweep while it runs."""

import os
import sys
import time
import warnings
from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import timedelta
from typing import Self

from experiments.evaluation import BASELINE
from experiments.records import COMPLETE, StudyRecord, TrialRecord

SECONDS_BETWEEN_LINES = 2.0
WORTH_SAYING = 50  # trials that MLflow is behind


def counted(number: int, noun: str) -> str:
    """Return a number with its noun, such as `1 run` or `3,000 runs`."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


class Progress(AbstractContextManager["Progress"]):
    """Counts trials and keeps the best and the baseline around a sweep. This one is silent."""

    def __init__(self) -> None:
        self.finished = self.trials = self._most_waiting = 0
        self._best: dict[str, float] = {}  # objectives, by arm

    def begin(self, study: StudyRecord, trials: int, *, behind: Callable[[], int] = int) -> None:
        """Show the trials there and asked for; `behind` counts those that MLflow lacks."""
        self._behind = behind
        self.study, self.trials = study, trials
        for trial in study.trials:
            self._count(trial)
        self._started, self._before = time.monotonic(), self.finished
        self._show_search()

    def add(self, trial: TrialRecord) -> None:
        self._count(trial)
        self._show_search()

    def confirming(self, trained: int, networks: int) -> None:
        self.show("confirming with fresh seeds", trained, networks, "networks")

    def writing(self, waiting: int) -> None:
        """Show how many runs still wait to be written to MLflow, now that nothing is trained."""
        self._most_waiting = max(self._most_waiting, waiting)
        if self._most_waiting:
            done = self._most_waiting - waiting
            self.show("writing to MLflow", done, self._most_waiting, "runs")

    def note(self, sentence: str) -> None:
        warnings.warn(sentence, stacklevel=3)  # 3: the line that called sweeps.run

    def show(self, step: str, done: int, total: int, what: str, details: str = "") -> None:
        """Show how far a step is; the search has no name."""

    def _count(self, trial: TrialRecord) -> None:
        self.finished += 1
        if trial.state == COMPLETE:
            value, arm = self.study.value(trial), trial.setting.arm
            self._best[arm] = self._better(value, self._best.get(arm, value))

    def _show_search(self) -> None:
        details = "; ".join(filter(None, (self._values(), self._pace())))
        self.show("", self.finished, max(self.trials, self.finished), "trials", details)

    def _values(self) -> str:
        if not self._best:
            return ""
        objective, baseline = self.study.objective, self._best.get(BASELINE)
        if list(self._best) == [BASELINE]:
            return f"baseline {objective} {baseline:.4f}"
        beside = "" if baseline is None else f", baseline {baseline:.4f}"
        return f"best {objective} {self._better(*self._best.values()):.4f}{beside}"

    def _better(self, *values: float) -> float:
        return max(values) if self.study.maximize else min(values)

    def _pace(self) -> str:
        """Trials per second, the time left, and how far MLflow is behind if that is far."""
        new = self.finished - self._before
        if not new or self.finished >= self.trials:
            return ""
        rate = new / max(time.monotonic() - self._started, 1e-9)
        left = timedelta(seconds=round((self.trials - self.finished) / rate))
        behind = self._behind()
        late = f"; MLflow {behind} behind" if behind >= WORTH_SAYING else ""
        return f"{rate:.1f} trials/s, {left} left{late}"

    def __exit__(self, *error: object) -> None:
        pass


class Lines(Progress):
    """Plain lines on standard error without a terminal: one per two seconds, and one at the end."""

    _shown_at = float("-inf")
    _shown = ""

    def note(self, sentence: str) -> None:
        # In one call: between the two that `print` makes, Ctrl-C would glue the next line to it.
        sys.stderr.write(f"{sentence}\n")
        sys.stderr.flush()

    def show(self, step: str, done: int, total: int, what: str, details: str = "") -> None:
        now, part = time.monotonic(), f"{done}/{total} {what}"
        is_last = not step and done == total and part != self._shown
        if now - self._shown_at >= SECONDS_BETWEEN_LINES or is_last:
            self._shown_at, self._shown = now, part
            head = f"{self.study.study}: " + (f"{step}, " if step else "")
            self.note("; ".join(filter(None, (head + part, details))))


class Bar(Progress):
    """Bars on standard error, for a terminal: one for each step."""

    def __init__(self) -> None:
        super().__init__()
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, TextColumn
        from rich.progress import Progress as RichProgress

        self._bar = RichProgress(
            TextColumn("{task.description}"),
            BarColumn(bar_width=None),
            MofNCompleteColumn(),
            TextColumn("{task.fields[details]}"),
            console=Console(stderr=True),
            expand=True,
        )
        self._tasks = {"": self._bar.add_task("starting", total=None, details="")}

    def note(self, sentence: str) -> None:
        self._bar.console.print(sentence, markup=False, highlight=False)

    def show(self, step: str, done: int, total: int, what: str, details: str = "") -> None:
        if step not in self._tasks:
            self._tasks[step] = self._bar.add_task(step, details="")
        self._bar.update(
            self._tasks[step],
            description=step or self.study.study,
            total=total,
            completed=done,
            details=details,
        )

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._bar.stop()


def for_terminal() -> Progress:
    """Make a bar where standard error is a terminal that can move its cursor, else lines."""
    return Bar() if sys.stderr.isatty() and os.environ.get("TERM") != "dumb" else Lines()
