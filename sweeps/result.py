"""The result of a sweep: what `sweeps.run` and `sweeps.confirm` return."""

import functools
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from experiments.card import Card, card
from experiments.model import Model, find_model
from experiments.records import StudyRecord, TrialRecord
from experiments.reports import frames
from experiments.tracking import Runs
from experiments.verdict import Verdict
from sweeps.workspace import Workspace

if TYPE_CHECKING:
    import optuna
    import pandas as pd


@dataclass(frozen=True, repr=False)
class Sweep:
    """A study that was run: its tables, its best trial, and the Optuna study itself. A notebook
    shows its card.

    `runs` are MLflow's run ids by trial, and why they could not be read or written; `files` are the
    reports.
    """

    record: StudyRecord
    study: "optuna.Study"
    workspace: Workspace
    runs: Runs
    files: tuple[Path, ...]

    def __repr__(self) -> str:
        word = self.verdict.word if self.verdict else "none"
        return f"<Sweep {self.record.study}: {len(self.record.trials)} trials, verdict: {word}>"

    def _repr_html_(self) -> str:
        from experiments.reports.page import for_notebook

        return for_notebook(self.record, self.workspace.options())

    @functools.cached_property
    def trials(self) -> "pd.DataFrame":
        """The columns of trials.csv."""
        return frames.trials(self.record, self.runs.ids)

    @functools.cached_property
    def history(self) -> "pd.DataFrame":
        """The columns of history.csv."""
        return frames.history(self.record)

    @functools.cached_property
    def top(self) -> "pd.DataFrame":
        """The columns of top.csv: the ten best trials."""
        return frames.top(self.record)

    @functools.cached_property
    def ranges(self) -> "pd.DataFrame":
        """The columns of ranges.csv: how trials did, by lambda and decade."""
        return frames.ranges(self.record)

    @functools.cached_property
    def settings(self) -> "pd.DataFrame":
        """The columns of settings.csv: the confirmed settings; no rows without a verdict."""
        return frames.settings(self.record)

    @functools.cached_property
    def confirmation(self) -> "pd.DataFrame":
        """The columns of confirm.csv."""
        return frames.confirm(self.record)

    @property
    def best(self) -> TrialRecord | None:
        """The best trial, as `StudyRecord.ranked` says."""
        return self.record.best

    @property
    def verdict(self) -> Verdict | None:
        return self.record.verdict

    @property
    def card(self) -> Card | None:
        """The verdict in words, as the terminal and the page show it."""
        return card(self.record, self.workspace.options())

    @functools.cached_property
    def model(self) -> Model | None:
        """The network to use, for raw rows; None without a verdict or its model in reports/."""
        return find_model(self.workspace.reports_of(self.record.study), self.record)
