"""The pruner: what a trial of a user's own slow network is ended by."""

from collections.abc import Sequence
from itertools import zip_longest
from statistics import median

from optuna.trial import FrozenTrial, TrialState

from sweeps.storage.attributes import result_of

STARTUP = 5  # complete trials before the first is pruned, as in Optuna's MedianPruner


def medians(trials: Sequence[FrozenTrial], objective: str) -> tuple[float, ...]:
    """Return the median of the objective at each epoch over these trials, those of earlier
    generations: so a trial is pruned or not whatever runs beside it. It is the rule of Optuna's
    MedianPruner, which takes the trials that happen to be finished.
    """
    complete = [trial for trial in trials if trial.state == TrialState.COMPLETE]
    if len(complete) < STARTUP:
        return ()
    curves = [result_of(trial).curves[objective] for trial in complete]
    columns = zip_longest(*curves)
    return tuple(median(one for one in column if one is not None) for column in columns)
