"""The page: what MLflow has of one study, read in one search."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Run

from experiments.tracking.inputs import InputKey, input_keys
from experiments.tracking.runs import CONFIRM, CONFIRMATION, TRIAL, Key

RUNS_A_CALL = 1_000
PARENT = "mlflow.parentRunId"


@dataclass(frozen=True)
class Found:
    """A run; of its metrics the last values."""

    run_id: str
    status: str
    ended: int | None = None
    tags: Mapping[str, str] = field(default_factory=dict)
    params: Mapping[str, str] = field(default_factory=dict)
    metrics: Mapping[str, float] = field(default_factory=dict)
    inputs: frozenset[InputKey] = frozenset()


@dataclass
class Page:
    """The experiment, the runs of the study and of its confirmation, and those below these by what
    they are found by: None, or nothing, where they are not there.

    `location` is where the experiment says that its artifacts are; `deleted` is the id of an
    experiment that was deleted.
    """

    experiment_id: str | None = None
    location: str = ""
    deleted: str | None = None
    studies: list[Found] = field(default_factory=list)
    confirmations: list[Found] = field(default_factory=list)
    children: dict[Key, list[Found]] = field(default_factory=dict)

    @property
    def study(self) -> Found | None:
        """The study's run. Of several the same one whoever looks."""
        return min(self.studies, key=lambda found: found.run_id, default=None)

    @property
    def confirmation(self) -> Found | None:
        """The run above those of the confirmation's networks, likewise."""
        return min(self.confirmations, key=lambda found: found.run_id, default=None)

    def above(self, key: Key) -> Found | None:
        """The run that one found by this key is to be below."""
        return self.confirmation if key[0] == CONFIRM else self.study


def read(client: "MlflowClient", experiment: str, study_uid: str) -> Page:
    """What MLflow has of a study in the experiment of this name, deleted runs left out."""
    found = client.get_experiment_by_name(experiment)
    if found is None:
        return Page()
    if found.lifecycle_stage != "active":
        return Page(deleted=found.experiment_id)
    page, query, token = (
        Page(found.experiment_id, found.artifact_location),
        f"tags.study_uid = '{study_uid}'",
        None,
    )
    while True:
        answer = client.search_runs(
            [found.experiment_id], query, max_results=RUNS_A_CALL, page_token=token
        )
        for run in answer:
            _sort_in(page, run)
        token = answer.token
        if not token:
            return page


def _sort_in(page: Page, run: "Run") -> None:
    tags, info = run.data.tags, run.info
    found = Found(info.run_id, info.status, info.end_time, tags, run.data.params, run.data.metrics)
    kind = tags.get("kind", "")
    if kind == "study":
        page.studies.append(replace(found, inputs=input_keys(run)))
    elif kind == CONFIRMATION:
        page.confirmations.append(found)
    elif kind == TRIAL and tags.get(TRIAL, "").isdecimal():
        page.children.setdefault((TRIAL, str(int(tags[TRIAL]))), []).append(found)
    elif kind == CONFIRM and CONFIRM in tags:
        page.children.setdefault((CONFIRM, tags[CONFIRM]), []).append(found)
