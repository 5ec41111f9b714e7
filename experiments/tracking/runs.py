"""The runs: as one must be, as one is there, and the equality of the two."""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import DatasetInput, Run

PARENT, NOTE = "mlflow.parentRunId", "mlflow.note.content"  # tags
CONTEXT = "mlflow.data.context"  # as what the rows of a data set are used
PER_CALL = 1_000  # runs to read; and MLflow's limit for metrics, params and tags together
# While its trials are written a study's run is SCHEDULED, not RUNNING: more will come, whether or
# not a process is at it now.
UNFINISHED = "SCHEDULED"

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
        return f"{self.part} {self.name} {self.digest}"

    def entity(self) -> "DatasetInput":
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

    @classmethod
    def of(cls, run: "Run") -> "RunState":
        data, info, inputs = run.data, run.info, run.inputs.dataset_inputs if run.inputs else ()
        datasets = frozenset(
            f"{tag.value} {one.dataset.name} {one.dataset.digest}"
            for one in inputs
            for tag in one.tags
            if tag.key == CONTEXT
        )
        return cls(
            info.run_id, info.status, info.end_time, data.tags, data.params, data.metrics, datasets
        )

    @property
    def key(self) -> Key:
        return key_of(self.tags)


@dataclass
class Snapshot:
    """What MLflow has of one study: the experiment, and the runs in it that are not deleted.

    `location` is where the experiment says that its artifacts are; `deleted` is the id of an
    experiment that was deleted.
    """

    experiment_id: str | None = None
    location: str = ""
    deleted: str | None = None
    runs: dict[Key, list[RunState]] = field(default_factory=dict)

    @classmethod
    def read(cls, client: "MlflowClient", experiment: str, study_uid: str) -> "Snapshot":
        found = client.get_experiment_by_name(experiment)
        if found is None:
            return cls()
        if found.lifecycle_stage != "active":
            return cls(deleted=found.experiment_id)
        snapshot = cls(found.experiment_id, found.artifact_location)
        ids, query = [found.experiment_id], f"tags.study_uid = '{study_uid}'"
        token: str | None = ""
        while token is not None:
            page = client.search_runs(ids, query, max_results=PER_CALL, page_token=token or None)
            for run in map(RunState.of, page):
                snapshot.runs.setdefault(run.key, []).append(run)
            token = page.token or None
        return snapshot

    def run(self, key: Key) -> RunState | None:
        """The run with this key. Of several, everybody takes the same one."""
        return min(self.runs.get(key, ()), key=lambda run: run.run_id, default=None)


class Point(NamedTuple):
    """One value of one metric; `time` in milliseconds."""

    name: str
    value: float
    time: int
    step: int


@dataclass(frozen=True, kw_only=True)
class RunPlan:
    """A run as it must be. Times in milliseconds.

    `single` are numbers at one `step`, `measured` those at step `last`, some of which have `curves`
    before it. A run must not have metrics that are `absent`; an `ended` of None is any.
    """

    name: str
    tags: Mapping[str, str]
    params: Mapping[str, str] = field(default_factory=dict)
    single: Mapping[str, float] = field(default_factory=dict)
    measured: Mapping[str, float] = field(default_factory=dict)
    last: int = 0
    curves: Mapping[str, Sequence[float]] = field(default_factory=dict)
    step: int = 0
    absent: Sequence[str] = ()
    datasets: tuple[Dataset, ...] = ()
    status: str
    started: int
    ended: int | None

    @property
    def key(self) -> Key:
        return key_of(self.tags)

    @property
    def metrics(self) -> dict[str, float]:
        return {point.name: point.value for point in self.points()}

    def differences(self, run: RunState) -> list[str]:
        """What of a run is not as planned, by name. Nothing means that the run is right.

        Whatever else others added is no difference, nor is a note that they edited.
        """
        tags = dict(self.tags)
        if NOTE in tags and NOTE in run.tags:
            tags[NOTE] = run.tags[NOTE]
        pairs: list[tuple[str, object, object]] = [
            ("status", self.status, run.status),
            ("end time", run.ended if self.ended is None else self.ended, run.ended),
            *((f"metric {name}", None, run.metrics.get(name)) for name in self.absent),
            *((f"data set {one.key}", one.key in run.datasets, True) for one in self.datasets),
        ]
        for kind, planned, there in (
            ("tag", tags, run.tags),
            ("param", self.params, run.params),
            ("metric", self.metrics, run.metrics),
        ):
            pairs += [(f"{kind} {name}", value, there.get(name)) for name, value in planned.items()]
        return [name for name, planned, there in pairs if planned != there]

    def points(self) -> list[Point]:
        """All its numbers. Those that are not finite are left out: MLflow would store others."""
        ended = self.started if self.ended is None else self.ended
        points = []
        for name, measured in self.measured.items():
            values = dict(enumerate(self.curves.get(name, ()), start=1)) | {self.last: measured}
            # For charts over time the epochs are spread evenly over the time that they took.
            for step, value in values.items():
                time = self.started + (ended - self.started) * step // max(self.last, 1)
                points.append(Point(name, value, time, step))
        points += [Point(name, value, ended, self.step) for name, value in self.single.items()]
        return [point for point in points if math.isfinite(point.value)]

    def log(self, client: "MlflowClient", run_id: str) -> None:
        from mlflow.entities import Metric, Param, RunTag

        metrics = [Metric(*point) for point in self.points()]
        params = [Param(*param) for param in self.params.items()]
        tags = [RunTag(*tag) for tag in self.tags.items()]
        first = PER_CALL - len(params) - len(tags)
        client.log_batch(run_id, metrics[:first], params, tags, synchronous=True)
        for start in range(first, len(metrics), PER_CALL):
            more = metrics[start : start + PER_CALL]
            client.log_batch(run_id, more, synchronous=True)
        if self.status == UNFINISHED:
            client.update_run(run_id, self.status)
        else:
            client.set_terminated(run_id, self.status, self.ended)
