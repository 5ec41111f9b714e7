"""The kept epoch of users' own networks, which all networks of a job share."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from experiments.evaluation.contract import METRICS, EvaluationSpec, Job, Metrics, TrialResult
from nnreg.measuring import SIGNS


def with_shared_epoch(
    results: Sequence[TrialResult], spec: EvaluationSpec, job: Job
) -> tuple[TrialResult, ...]:
    """Return the networks of a job with the epoch that they share: the best of their mean curve. A
    network that ended earlier stays as it was.
    """
    longest = max((len(one.curves["data_loss"]) for one in results if one.curves), default=0)
    padded = [
        {
            name: values + values[-1:] * (longest - len(values))
            for name, values in one.curves.items()
        }
        for one in results
    ]
    kept = longest - 1
    if spec.keep is not None and job.stop is None and any(padded):
        curves = np.array([one[spec.keep] for one in padded if one])
        kept = int((SIGNS[spec.keep] * curves.mean(axis=0)).round(12).argmax())
    return tuple(
        _at(kept, one, curves) if curves else one
        for one, curves in zip(results, padded, strict=True)
    )


def _at(kept: int, result: TrialResult, curves: Mapping[str, tuple[float, ...]]) -> TrialResult:
    """Return a network's result with the numbers of an epoch, from 0."""
    numbers = {name: values[kept] for name, values in curves.items() if name in METRICS}
    if "regularization_loss" in numbers:
        numbers["total_loss"] = numbers["data_loss"] + numbers["regularization_loss"]
    network = result.network
    if network and network.by_epoch:
        losses, hits = network.by_epoch[min(kept, len(network.by_epoch) - 1)]
        network = replace(network, losses=losses, hits=hits)
    how = network.diverged if network else result.error
    has_diverged = how is not None and kept >= result.epochs - 1
    return replace(
        result,
        metrics=Metrics(**numbers),
        curves=curves,
        best_epoch=kept + 1,
        diverged=has_diverged,
        error=how if has_diverged else None,
        network=network,
    )
