"""The final network: the recommended lambdas, trained again on training and validation rows."""

from collections.abc import Sequence
from concurrent.futures import Executor
from dataclasses import asdict, replace
from typing import Any

from experiments.datasets import Dataset
from experiments.errors import WorkersError
from experiments.evaluation import EvaluationSpec, Job
from experiments.model import Model
from experiments.records import StudyRecord
from experiments.verdict import Verdict
from sweeps.evaluator import Evaluator


def origin(study: StudyRecord, verdict: Verdict) -> dict[str, Any]:
    """What the model of a verdict is, as JSON: that of another verdict is another."""
    return {
        "study": study.study,
        "study_uid": study.study_uid,
        "fingerprint": study.fingerprint,
        "lambdas": asdict(verdict.recommended),
        "seed": verdict.seeds[0],
        "rows": verdict.rows["training"] + verdict.rows["validation"],
    }


def train_model(study: StudyRecord, verdict: Verdict, data: Dataset, spec: EvaluationSpec, executor: Executor) -> Model:
    """Train the network. Raises WorkersError."""
    jobs: Sequence[Job] = [Job(verdict.recommended, verdict.seeds[0])]
    result = next(Evaluator(executor, replace(spec, whole=True, all_rows=True), lanes=lambda: 1).evaluate(jobs))
    if result.whole is None:
        raise WorkersError(f"the model could not be trained ({result.error}); go on with: sweeps confirm {study.study}")
    return Model(
        parameters=result.whole.parameters,
        preparation=data.preparation,
        classes=data.classes,
        origin=origin(study, verdict),
    )
