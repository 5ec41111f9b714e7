"""The snapshot: what MLflow has of one study."""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from experiments.tracking.runs import CONTEXT, Key, RunState

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Run

RUNS_PER_CALL = 1_000


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
