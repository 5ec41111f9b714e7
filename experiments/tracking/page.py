"""The page: what MLflow has of one study, read in one search."""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from experiments.tracking import runs

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Run

RUNS_A_CALL = 1_000
PARENT = "mlflow.parentRunId"


@dataclass(frozen=True)
class Found:
    """A run. To give it its end is the last call, so one with an end was written to the end; its metrics are looked at too."""

    run_id: str
    status: str
    ended: int | None = None
    parent: str | None = None
    has_metrics: bool = False


@dataclass
class Page:
    """The experiment, the study's run, and the runs of its trials by number: None, or nothing, where they are not there."""

    experiment_id: str | None = None
    study: Found | None = None
    trials: dict[int, list[Found]] = field(default_factory=dict)

    def is_whole(self, trial: int) -> bool:
        """Whether a trial has a run with everything, below the study's run."""
        return any(self._whole(found) for found in self.trials.get(trial, ()))

    def run(self, trial: int) -> Found | None:
        """The run of a trial. Of several, a whole one, and of those the same whoever looks."""
        return min(self.trials.get(trial, ()), key=lambda found: (not self._whole(found), found.run_id), default=None)

    def _whole(self, found: Found) -> bool:
        below = self.study is not None and found.parent == self.study.run_id
        return below and found.has_metrics and found.status in runs.STATUS.values()


def read(client: "MlflowClient", experiment: str, study_uid: str) -> Page:
    """What MLflow has of a study in the experiment of this name, deleted runs left out. A deleted experiment is not there."""
    found = client.get_experiment_by_name(experiment)
    if found is None or found.lifecycle_stage != "active":
        return Page()
    page, query, token = Page(found.experiment_id), f"tags.study_uid = '{study_uid}'", None
    while True:
        answer = client.search_runs([found.experiment_id], query, max_results=RUNS_A_CALL, page_token=token)
        for run in answer:
            _sort_in(page, run)
        token = answer.token
        if not token:
            return page


def _sort_in(page: Page, run: "Run") -> None:
    tags, info = run.data.tags, run.info
    has_metrics = runs.metric_names(tags.get("state", "")) <= run.data.metrics.keys()
    found = Found(info.run_id, info.status, info.end_time, tags.get(PARENT), has_metrics)
    if tags.get("kind") == "study":
        page.study = min(page.study or found, found, key=lambda one: one.run_id)
    elif tags.get("kind") == "trial" and tags.get("trial", "").isdecimal():
        page.trials.setdefault(int(tags["trial"]), []).append(found)
