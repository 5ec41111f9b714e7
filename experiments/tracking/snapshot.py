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
    """The key of a run with these tags; a study has one run above those of its networks."""
    kind = tags.get("kind", "")
    return kind, tags.get(kind, "")


@dataclass(frozen=True, kw_only=True)
class Dataset:
    """The rows of one part of the data, as MLflow keeps the data sets that a run has used."""

    name: str
    digest: str
    part: str
    source: str
    schema: str
    rows: int

    @property
    def key(self) -> str:
        """By what it is found."""
        return f"{self.part} {self.name} {self.digest}"

    def entity(self) -> "DatasetInput":
        """The same for MLflow's client."""
        from mlflow.entities import Dataset, DatasetInput, InputTag

        dataset = Dataset(
            name=self.name,
            digest=self.digest,
            source_type="local",
            source=json.dumps({"uri": self.source}),
            schema=self.schema,
            profile=json.dumps({"num_rows": self.rows}),
        )
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


@dataclass
class Snapshot:
    """The experiment and the runs of the study in it; deleted runs are left out.

    `location` is where the experiment says that its artifacts are; `deleted` is the id of an
    experiment that was deleted. `more` is the token of the next page of runs.
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
        query = f"tags.study_uid = '{study_uid}'"
        answer = client.search_runs(
            [self.experiment_id], query, max_results=RUNS_PER_CALL, page_token=self.more
        )
        for run in answer:
            self.runs.setdefault(key_of(run.data.tags), []).append(state_of(run))
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
    datasets = frozenset(
        f"{tag.value} {one.dataset.name} {one.dataset.digest}"
        for one in (run.inputs.dataset_inputs if run.inputs else ())
        for tag in one.tags
        if tag.key == CONTEXT
    )
    data, info = run.data, run.info
    return RunState(
        info.run_id, info.status, info.end_time, data.tags, data.params, data.metrics, datasets
    )
