"""A trial of a cross-validation: the means of its networks, one per fold."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

import numpy as np

from experiments.evaluation.contract import DEVIATIONS, METRICS, VALIDATED, Metrics, TrialResult


def averaged(results: Sequence[TrialResult]) -> TrialResult:
    """Return the means of networks that share a kept epoch, with the standard deviations of what
    was measured on their validation rows. If one of them failed, so did the trial.

    Networks on which several workers worked at a time count one after the other.
    """
    first = results[0]
    if len(results) == 1:
        return first
    seconds = sum(one.seconds for one in results)
    whole = replace(first, seconds=seconds, finished=first.started + timedelta(seconds=seconds))
    failed = next((one for one in results if one.metrics is None), None)
    if failed is not None:
        return replace(whole, metrics=None, curves={}, epochs=0, best_epoch=0, error=failed.error)
    measured = [one.metrics for one in results if one.metrics]
    means = {
        name: float(_mean(name, [getattr(one, name) for one in measured]))
        for name in METRICS
        if all(getattr(one, name) is not None for one in measured)
    }
    if "regularization_loss" in means:  # the sum, to the bit, of what is recorded beside it
        means["total_loss"] = means["data_loss"] + means["regularization_loss"]
    return replace(
        whole,
        metrics=Metrics(**means),
        curves={
            name: tuple(_mean(name, [one.curves[name] for one in results]).tolist())
            for name in first.curves
        },
        diverged=any(one.diverged for one in results),
        epochs=max(one.epochs for one in results),
        error=next((one.error for one in results if one.error), None),
        deviations={
            deviation: float(np.std([getattr(one, name) for one in measured], ddof=1))
            for deviation, name in zip(DEVIATIONS, VALIDATED, strict=True)
        },
    )


def _mean(name: str, values: Sequence[Any]) -> np.ndarray:
    """Return the mean over the networks. That of accuracies is rounded, so that trials that find as
    many rows are tied, whichever folds these are in.
    """
    mean: np.ndarray = np.mean(values, axis=0)
    return mean.round(12) if name.endswith("accuracy") else mean
