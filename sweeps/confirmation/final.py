"""The final network: the lambdas to use, trained again on training and validation rows."""

from collections.abc import Sequence
from concurrent.futures import Executor
from dataclasses import replace

from experiments.datasets import Dataset
from experiments.errors import WorkersError
from experiments.evaluation import EvaluationSpec, Job
from experiments.model import Model, origin
from experiments.records import StudyRecord
from experiments.verdict import Verdict
from sweeps.executors.evaluator import Evaluator


def train_model(
    study: StudyRecord, verdict: Verdict, data: Dataset, spec: EvaluationSpec, executor: Executor
) -> Model:
    """Train the network of the study's verdict. Raises WorkersError."""
    jobs: Sequence[Job] = [Job(verdict.use, verdict.seeds[0])]
    result = next(
        Evaluator(executor, replace(spec, with_networks=True, all_rows=True), lanes=lambda: 1).evaluate(
            jobs
        )
    )
    if result.network is None:
        raise WorkersError(
            f"the model could not be trained ({result.error}); go on with: sweeps confirm"
            f" {study.study}"
        )
    return Model(
        parameters=result.network.parameters,
        preparation=data.preparation,
        classes=data.classes,
        target=data.target,
        label_type=data.label_type,
        example=data.example,
        origin=origin(study),
    )
