"""The progress: what a person sees of a sweep while it runs."""

import os
import sys
import threading
import time
import warnings
from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, Self

from experiments.evaluation import BASELINE
from experiments.measures import MEASURES
from experiments.records import COMPLETE, StudyRecord, TrialRecord

if TYPE_CHECKING:
    from rich.progress import TaskID

SECONDS_BETWEEN_LINES = 2.0
SECONDS_BETWEEN_EPOCHS = 30.0  # in lines
SHOWN_AT_ONCE = 4  # trials whose epochs are shown
WORTH_SAYING = 50  # trials that MLflow is behind
BAR = 20  # columns, so that count, time and values fit beside it in 80


def counted(number: int, noun: str) -> str:
    """Return a number with its noun, such as `1 run` or `3,000 runs`."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


ShowAnswer = Callable[[StudyRecord, str], None]


class Progress(AbstractContextManager["Progress"]):
    """Counts trials and keeps the best and the baseline around a sweep. This one is silent.
    `show_answer` gets the study with its verdict, and the options for commands.
    """

    def __init__(self, show_answer: ShowAnswer | None = None) -> None:
        self._show_answer = show_answer
        self.finished = self.trials = self._most_waiting = 0
        self._best: dict[str, float] = {}  # objectives, by arm
        self._epochs: dict[int, int] = {}  # of trials that are being trained, by thread

    def again(self, show_answer: ShowAnswer | None = None) -> "Progress":
        """Return one like this for another study."""
        return type(self)(show_answer)

    def begin(self, study: StudyRecord, trials: int, *, behind: Callable[[], int] = int) -> None:
        """Show the trials there and asked for; `behind` counts those that MLflow lacks."""
        self._behind = behind
        self.study, self.trials = study, trials
        for trial in study.trials:
            self._count(trial)
        self._started, self._before = time.monotonic(), self.finished
        self._show_now: Callable[[], None] = self._show_search
        self._show_now()

    def add(self, trial: TrialRecord) -> None:
        self._epochs.clear()
        self._count(trial)
        self._show_search()

    def heard(self, epochs: int) -> None:
        """Show how many epochs a slow task has done. Each task has a thread that waits for it."""
        self._epochs[threading.get_ident()] = epochs
        self._show_now()

    def confirming(self, trained: int, networks: int) -> None:
        self._show_now = partial(self._show_confirmation, trained, networks)
        self._epochs.clear()
        self._show_now()

    def _show_confirmation(self, trained: int, networks: int) -> None:
        self.show("confirming", trained, networks, "networks", details=self._training())

    def _training(self) -> str:
        done = sorted(self._epochs.values(), reverse=True)[:SHOWN_AT_ONCE]
        return f"epoch {', '.join(map(str, done))}" if done else ""

    def answer(self, study: StudyRecord, options: str) -> None:
        """Show the verdict as soon as it is known: MLflow may still lack runs."""
        if self._show_answer:
            self._show_answer(study, options)

    def writing(self, waiting: int) -> None:
        """Show how many runs still wait to be written to MLflow, now that nothing is trained."""
        self._most_waiting = max(self._most_waiting, waiting)
        if self._most_waiting:
            done = self._most_waiting - waiting
            self.show("writing to MLflow", done, self._most_waiting, "runs")

    def note(self, sentence: str) -> None:
        warnings.warn(sentence, stacklevel=3)  # 3: the line that called sweeps.run

    def tell(self, sentence: str) -> None:
        """Print how far several studies are; in a script, print nothing."""

    def show(
        self, step: str, done: int, total: int, what: str, left: str = "", details: str = ""
    ) -> None:
        """Show how far a step is; the search has no name. `left` is the time."""

    def _count(self, trial: TrialRecord) -> None:
        self.finished += 1
        if trial.state == COMPLETE:
            value, arm = self.study.value(trial), trial.setting.arm
            self._best[arm] = self._better(value, self._best.get(arm, value))

    def _show_search(self) -> None:
        behind, total = self._behind(), max(self.trials, self.finished)
        late = f"MLflow {behind} behind" if behind >= WORTH_SAYING else ""
        details = "; ".join(filter(None, (self._values(), self._training(), late)))
        self.show("", self.finished, total, "trials", self._left(), details)

    def _values(self) -> str:
        if not self._best:
            return ""
        value, baseline = MEASURES[self.study.objective].value, self._best.get(BASELINE)
        beside = [] if baseline is None else [f"baseline {value(baseline)}"]
        best = [f"best {value(self._better(*self._best.values()))}"]
        return ", ".join(beside if list(self._best) == [BASELINE] else best + beside)

    def _better(self, *values: float) -> float:
        return max(values) if self.study.maximize else min(values)

    def _left(self) -> str:
        """The time left, at the pace so far."""
        new = self.finished - self._before
        if not new or self.finished >= self.trials:
            return ""
        seconds = (time.monotonic() - self._started) * (self.trials - self.finished) / new
        return f"{timedelta(seconds=round(seconds))} left"

    def __exit__(self, *error: object) -> None:
        pass


class Lines(Progress):
    """Plain lines on standard error without a terminal: one per two seconds, and one at the end."""

    _shown_at = float("-inf")
    _shown = ""

    def heard(self, epochs: int) -> None:
        if time.monotonic() - self._shown_at >= SECONDS_BETWEEN_EPOCHS:
            super().heard(epochs)

    def note(self, sentence: str) -> None:
        # In one call: between the two that `print` makes, Ctrl-C would glue the next line to it.
        sys.stderr.write(f"{sentence}\n")
        sys.stderr.flush()

    tell = note

    def show(
        self, step: str, done: int, total: int, what: str, left: str = "", details: str = ""
    ) -> None:
        now, part = time.monotonic(), f"{done}/{total} {what}"
        is_last = not step and done == total and part != self._shown
        if now - self._shown_at >= SECONDS_BETWEEN_LINES or is_last:
            self._shown_at, self._shown = now, part
            head = f"{self.study.study}: " + (f"{step}, " if step else "")
            self.note("; ".join(filter(None, (head + part, details, left))))


class Bar(Progress):
    """Bars on standard error, for a terminal: one for each step."""

    def __init__(self, show_answer: ShowAnswer | None = None) -> None:
        super().__init__(show_answer)
        self._begin()
        self._tasks[""] = self._bar.add_task("starting", total=None, left="", details="")

    def _begin(self) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, ProgressColumn, Task, TextColumn
        from rich.progress import Progress as RichProgress
        from rich.table import Column
        from rich.text import Text

        class Details(ProgressColumn):
            """The only column that gets narrower in a narrow terminal."""

            def render(self, task: Task) -> Text:
                return Text(task.fields["details"], no_wrap=True, overflow="ellipsis")

        self._bar = RichProgress(
            TextColumn("{task.description}"),
            BarColumn(bar_width=BAR, table_column=Column(no_wrap=True)),
            MofNCompleteColumn(table_column=Column(no_wrap=True)),
            TextColumn("{task.fields[left]}"),
            Details(),
            console=Console(stderr=True),
        )
        self._tasks: dict[str, TaskID] = {}

    def answer(self, study: StudyRecord, options: str) -> None:
        self._bar.stop()
        super().answer(study, options)
        self._begin()
        self._bar.start()

    def note(self, sentence: str) -> None:
        self._bar.console.print(sentence, markup=False, highlight=False)

    tell = note

    def show(
        self, step: str, done: int, total: int, what: str, left: str = "", details: str = ""
    ) -> None:
        if step not in self._tasks:
            self._tasks[step] = self._bar.add_task(step, left="", details="")
        self._bar.update(
            self._tasks[step],
            description=step or self.study.study,
            total=total,
            completed=done,
            left=left,
            details=details,
        )

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._bar.stop()


def for_terminal(show_answer: ShowAnswer | None = None) -> Progress:
    """Make a bar where standard error is a terminal that can move its cursor, else lines."""
    is_terminal = sys.stderr.isatty() and os.environ.get("TERM") != "dumb"
    return Bar(show_answer) if is_terminal else Lines(show_answer)
