"""One evaluation: `evaluate`, the one place that knows how a network is trained."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from experiments.evaluation.averaged import averaged
from experiments.evaluation.contract import (
    BASELINE,
    CURVES,
    DEVIATIONS,
    METRICS,
    PARAMETER,
    PENALISED,
    SEEDS,
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
from experiments.evaluation.held import HELD, load_splits, stored
from experiments.evaluation.lanes import row_answers, train_and_measure
from experiments.evaluation.running import after_epoch, one_thread

if TYPE_CHECKING:
    from nnreg import Splits

__all__ = [
    "BASELINE",
    "CURVES",
    "DEVIATIONS",
    "HELD",
    "METRICS",
    "PARAMETER",
    "PENALISED",
    "SEEDS",
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
    "averaged",
    "evaluate",
    "evaluate_on",
    "load_splits",
    "one_thread",
    "parameters_of",
    "row_answers",
    "stored",
]


def evaluate(spec: EvaluationSpec, jobs: Sequence[Job]) -> list[Evaluated]:
    """Train the networks of all jobs, which have as many seeds each, and measure each network; how
    jobs are divided changes no number.
    """
    return evaluate_on(load_splits(spec.arrays), spec, jobs)


def evaluate_on(splits: "Splits", spec: EvaluationSpec, jobs: Sequence[Job]) -> list[Evaluated]:
    """Do as `evaluate` with splits that are in memory."""
    folds = (splits.all_rows,) if spec.all_rows else splits.folds
    if spec.own is None:
        return train_and_measure(folds, spec, jobs)
    from experiments.evaluation.own import train_and_measure_own

    return train_and_measure_own(spec.own, folds, spec, jobs)
