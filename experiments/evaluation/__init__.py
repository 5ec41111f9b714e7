"""One evaluation: `evaluate`, the one place that knows how a network is trained."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from experiments.evaluation.contract import (
    BASELINE,
    CURVES,
    METRICS,
    PARAMETER,
    PENALISED,
    Evaluated,
    EvaluationSpec,
    Job,
    LayerTerms,
    Metrics,
    Number,
    Setting,
    TrainedNetwork,
    TrialResult,
    parameters_of,
)
from experiments.evaluation.held import HELD, load_split, stored
from experiments.evaluation.lanes import row_answers, train_and_measure
from experiments.evaluation.running import after_epoch, one_thread

if TYPE_CHECKING:
    from nnreg import Split

__all__ = [
    "BASELINE",
    "CURVES",
    "HELD",
    "METRICS",
    "PARAMETER",
    "PENALISED",
    "Evaluated",
    "EvaluationSpec",
    "Job",
    "LayerTerms",
    "Metrics",
    "Number",
    "Setting",
    "TrainedNetwork",
    "TrialResult",
    "after_epoch",
    "evaluate",
    "evaluate_on",
    "load_split",
    "one_thread",
    "parameters_of",
    "row_answers",
    "stored",
]


def evaluate(spec: EvaluationSpec, jobs: Sequence[Job]) -> list[Evaluated]:
    """Train the networks of all jobs, which have as many seeds each, and measure each network; how
    jobs are divided changes no number.
    """
    return evaluate_on(load_split(spec.arrays), spec, jobs)


def evaluate_on(split: "Split", spec: EvaluationSpec, jobs: Sequence[Job]) -> list[Evaluated]:
    """Do as `evaluate` with a split that is in memory."""
    if spec.all_rows:
        split = split.merged()
    if spec.own is None:
        return train_and_measure(split, spec, jobs)
    from experiments.evaluation.own import train_and_measure_own

    return train_and_measure_own(spec.own, split, spec, jobs)
