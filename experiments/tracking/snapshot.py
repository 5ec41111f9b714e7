"""The snapshot: what MLflow has of one study."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import DatasetInput, Run

RUNS_PER_CALL = 1_000
PARENT, NOTE = "mlflow.parentRunId", "mlflow.note.content"  # tags
CONTEXT = "mlflow.data.context"  # as what the rows of a data set are used

Key = tuple[str, str]
"""The kind of a run, and which one of its kind it is: by this it is found."""


def key_of(tags: Mapping[str, str]) -> Key:
    """The key of a run with these tags."""
    kind = tags.get("kind", "")
    return kind, tags.get(kind, "")


@dataclass(frozen=True)
class Dataset:
    """The rows of one part of the data. `profile` is what MLflow's page shows of them."""

    name: str
    digest: str
    part: str
    source: str
    profile: Mapping[str, object]

    @property
    def key(self) -> str:
        """By what it is found."""
        return f"{self.part} {self.name} {self.digest}"

    def entity(self) -> "DatasetInput":
        """The same for MLflow's client."""
        from mlflow.entities import Dataset, DatasetInput, InputTag

        source, profile = json.dumps({"uri": self.source}), json.dumps(dict(self.profile))
        dataset = Dataset(self.name, self.digest, "local", source, profile=profile)
        return DatasetInput(dataset, [InputTag(CONTEXT, self.part)])


@dataclass(frozen=True)
class RunState:
    """A run that is there: of its metrics the last values, of its data sets the keys."""

    run_id: str
    status: str = ""
    ended: int | None = None
    tags: Mapping[str, str] = field(default_factory=dict)
    params: Mapping[str, str] = field(default_factory=dict)
    metrics: Mapping[str, float] = field(default_factory=dict)
    datasets: frozenset[str] = frozenset()

    @property
    def key(self) -> Key:
        """By what it is found."""
        return key_of(self.tags)

    def contradicts(self, params: Mapping[str, str]) -> bool:
        """Whether it has a param with another value."""
        return any(self.params.get(name, value) != value for name, value in params.items())


@dataclass
class Snapshot:
    """The experiment and the runs of the study in it; deleted runs are left out.

    `location` is where the experiment says that its artifacts are; `deleted` is the id of an
    experiment that was deleted; `more` is MLflow's token for the next runs.
    """

    experiment_id: str | None = None
    location: str = ""
    deleted: str | None = None
    runs: dict[Key, list[RunState]] = field(default_factory=dict)
    more: str | None = None

    def run(self, key: Key) -> RunState | None:
        """The run with this key. Of several, everybody takes the same one."""
        return min(self.runs.get(key, ()), key=lambda run: run.run_id, default=None)

    def read_page(self, client: "MlflowClient", study_uid: str) -> bool:
        """Read the next thousand runs; whether there may be more."""
        if self.experiment_id is None:
            return False
        answer = client.search_runs(
            [self.experiment_id],
            f"tags.study_uid = '{study_uid}'",
            max_results=RUNS_PER_CALL,
            page_token=self.more,
        )
        for run in map(state_of, answer):
            self.runs.setdefault(run.key, []).append(run)
        self.more = answer.token
        return bool(self.more)


def begin(client: "MlflowClient", experiment: str) -> Snapshot:
    """A snapshot of the experiment of this name, without its runs."""
    found = client.get_experiment_by_name(experiment)
    if found is None:
        return Snapshot()
    if found.lifecycle_stage != "active":
        return Snapshot(deleted=found.experiment_id)
    return Snapshot(found.experiment_id, found.artifact_location)


def state_of(run: "Run") -> RunState:
    """A run as MLflow's client has it."""
    data, info, inputs = run.data, run.info, run.inputs.dataset_inputs if run.inputs else ()
    datasets = frozenset(
        f"{tag.value} {one.dataset.name} {one.dataset.digest}"
        for one in inputs
        for tag in one.tags
        if tag.key == CONTEXT
    )
    return RunState(
        info.run_id, info.status, info.end_time, data.tags, data.params, data.metrics, datasets
    )
