"""The inputs: the rows of a study, as MLflow keeps the datasets that a run has used."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from experiments.digest import digest
from experiments.records import StudyRecord

if TYPE_CHECKING:
    from mlflow.entities import DatasetInput, Run

PARTS = {
    "training": "source",
    "validation": "validation",
    "test": "test",
}  # and by which key a part may have a file of its own
CONTEXT = "mlflow.data.context"  # as which the rows are used
DIGITS = 16  # of a digest; MLflow keeps 36 at most

InputKey = tuple[str, str, str]
"""Name, digest and context: what an input of a run is found by."""


@dataclass(frozen=True, kw_only=True)
class Input:
    """The rows of one part. Two studies have the same digest where they have the same rows in it."""

    name: str
    digest: str
    context: str
    source: str
    rows: int
    features: int
    dtype: str

    @property
    def key(self) -> InputKey:
        """What it is found by."""
        return self.name, self.digest, self.context

    def entity(self) -> "DatasetInput":
        """The same as MLflow takes it."""
        from mlflow.entities import Dataset, DatasetInput, InputTag

        dataset = Dataset(
            name=self.name,
            digest=self.digest,
            source_type="local",
            source=json.dumps({"uri": self.source}),
            schema=json.dumps({"mlflow_tensorspec": self._schema()}),
            profile=json.dumps({"num_rows": self.rows}),
        )
        return DatasetInput(dataset, [InputTag(CONTEXT, self.context)])

    def _schema(self) -> dict[str, Any]:
        """The shapes of what a network is given, as MLflow writes signatures."""
        tensors = {"features": (self.dtype, [-1, self.features]), "targets": ("int64", [-1])}
        return {
            name: json.dumps([{"type": "tensor", "tensor-spec": {"dtype": dtype, "shape": shape}}])
            for name, (dtype, shape) in tensors.items()
        }


def inputs(study: StudyRecord) -> list[Input]:
    """The parts that have rows; none where the study does not say."""
    data, given = study.data, study.experiment.data
    files = {part: str(getattr(given, key) or given.source) for part, key in PARTS.items()}
    return [
        Input(
            name=Path(file).stem,
            digest=digest([data["digest"], part])[:DIGITS],
            context=part,
            source=file,
            rows=data["rows"][part],
            features=data["features"],
            dtype=study.experiment.training.dtype,
        )
        for part, file in files.items()
        if data and data["rows"][part]
    ]


def input_keys(run: "Run") -> frozenset[InputKey]:
    """The inputs of a run on MLflow."""
    return frozenset(
        (one.dataset.name, one.dataset.digest, tag.value)
        for one in (run.inputs.dataset_inputs if run.inputs else ())
        for tag in one.tags
        if tag.key == CONTEXT
    )
