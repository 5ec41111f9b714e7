"""The final network: the lambdas to use, trained again on training and validation rows."""

from collections.abc import Sequence
from concurrent.futures import Executor
from dataclasses import replace

import numpy as np

from experiments.datasets import Dataset
from experiments.errors import WorkersError
from experiments.evaluation import EvaluationSpec, Job, stored
from experiments.model import Model, origin
from experiments.records import StudyRecord
from experiments.verdict import Verdict
from nnreg import Split
from sweeps.evaluator import Evaluator


def train_model(study: StudyRecord, verdict: Verdict, data: Dataset, spec: EvaluationSpec, executor: Executor) -> Model:
    """Train the network of the study's verdict. Raises WorkersError."""
    split = data.split
    whole = Split(
        np.concatenate([split.x_train, split.x_val]), np.concatenate([split.y_train, split.y_val]), split.x_val, split.y_val
    )
    with stored(whole) as arrays:
        jobs: Sequence[Job] = [Job(verdict.use, verdict.seeds[0])]
        result = next(Evaluator(executor, replace(spec, arrays=arrays, whole=True), lanes=1).evaluate(jobs))
    if result.whole is None:
        raise WorkersError(f"the model could not be trained ({result.error}); go on with: sweeps confirm {study.study}")
    return Model(
        parameters=result.whole.parameters,
        preparation=data.preparation,
        classes=data.classes,
        target=data.target,
        label_type=data.label_type,
        example=data.example,
        origin=origin(study, verdict),
    )
