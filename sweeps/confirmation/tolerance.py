"""The tolerance: how exactly each lambda must be set; told by the trials that the seeds cannot tell
from the winner.
"""

import math
from collections.abc import Sequence

import numpy as np

from experiments.axes import Range
from experiments.records import StudyRecord, TrialRecord
from experiments.reports.frames import is_at_the_edge
from experiments.verdict import Tolerance
from nnreg import Lambdas

DEVIATIONS = 2.0
FURTHER = 10.0  # how far beyond the search's upper end to look, where that cut the span off


def width(spreads: Sequence[float]) -> float:
    """How far below the winner's mean a trial may lie and be tied with it: two standard deviations
    of the paired difference between settings over the seeds, pooled over the settings.
    """
    return DEVIATIONS * math.sqrt(float(np.mean(np.square(spreads)))) if spreads else 0.0


def tied(study: StudyRecord, winner_mean: float, width: float) -> list[TrialRecord]:
    """The complete trials whose score is no further below the winner's mean over fresh seeds, in
    trial order.
    """
    sign = 1 if study.maximize else -1
    return [
        trial for trial in study.complete if sign * (study.value(trial) - winner_mean) >= -width
    ]


def tolerances(study: StudyRecord, settings: Sequence[Lambdas]) -> tuple[Tolerance, ...]:
    """The span of these settings in each lambda that is searched, in the order of the lambdas."""
    searched = study.experiment.lambdas.searched
    return tuple(_tolerance(name, axis, settings) for name, axis in searched.items())


def _tolerance(name: str, axis: Range, settings: Sequence[Lambdas]) -> Tolerance:
    strengths = [getattr(lambdas, name) for lambdas in settings]
    on = [strength for strength in strengths if strength > 0]
    high = max(on, default=None)
    cut = high is not None and is_at_the_edge(high, axis)
    return Tolerance(
        name=name,
        low=min(on, default=None),
        high=high,
        off=len(on) < len(strengths),
        bound=axis.high * FURTHER if cut else None,
    )
