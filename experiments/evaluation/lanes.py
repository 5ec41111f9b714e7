"""The program's own network: many of them trained in lockstep."""

import time
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import numpy as np

from experiments.evaluation.contract import (
    CURVES,
    METRICS,
    Evaluated,
    EvaluationSpec,
    Job,
    LayerTerms,
    Metrics,
    TrainedNetwork,
    TrialResult,
)
from experiments.evaluation.running import called_after_epoch
from nnreg import Fit, Lambdas, Split, losses_and_hits, penalties_by_layer, train, use_compiled
from nnreg.lambdas import per_layer
from nnreg.losses import WORST_LOSS
from nnreg.network import LayerParameters


def train_and_measure(
    folds: Sequence[Split], spec: EvaluationSpec, jobs: Sequence[Job]
) -> list[Evaluated]:
    """Train the networks of all jobs in lockstep, and measure each."""
    config = spec.config if jobs[0].stop is None else replace(spec.config, epochs=jobs[0].stop)
    if spec.compiled:
        use_compiled(config.dtype)
    together, hidden = len(jobs[0].seeds), len(spec.config.hidden)
    settings = [job.setting for job in jobs for _ in job.seeds]
    strengths = [per_layer(setting.lambdas, spec.layers, hidden) for setting in settings]
    seeds, which = zip(*(network for job in jobs for network in job.networks), strict=True)
    started, clock = datetime.now(UTC), time.perf_counter()
    fits = train(
        [folds[fold] for fold in which],
        config,
        strengths,
        seeds=seeds,
        learning_rates=[setting.learning_rate for setting in settings],
        keep=spec.keep if jobs[0].stop is None else None,
        together=together,
        after_epoch=called_after_epoch(),
    )
    seconds = (time.perf_counter() - clock) / len(fits)
    times = [started + timedelta(seconds=seconds * number) for number in range(len(fits) + 1)]
    networks: Sequence[TrainedNetwork | None] = [None] * len(fits)
    if spec.with_networks:
        networks = _networks(folds, which, fits, strengths)
    results = [
        TrialResult(
            metrics=Metrics(
                **{name: float(getattr(fit, name)[fit.best_epoch - 1]) for name in METRICS}
            ),
            # The last one may be the objective, whose curve is always kept.
            curves={
                name: tuple(getattr(fit, name).tolist())
                for name in (*CURVES, "balanced_val_accuracy")
            },
            diverged=fit.diverged,
            epochs=config.epochs,
            best_epoch=fit.best_epoch,
            seconds=seconds,
            started=begin,
            finished=end,
            network=network,
        )
        for fit, network, (begin, end) in zip(fits, networks, pairwise(times), strict=True)
    ]
    starts = range(0, len(results), together)
    return [tuple(results[start : start + together]) for start in starts]


def row_answers(
    rows: Sequence[tuple[np.ndarray, np.ndarray]],
    which: Sequence[int],
    fits: Sequence[tuple[list[LayerParameters], bool]],
) -> list[tuple[np.ndarray, np.ndarray]]:
    """Return the loss of each row and whether its class was found, (rows,) both, of each network:
    of the rows (x, y) with the number `which`.

    Networks are given as parameters and whether they diverged: if so, no row is found, and each
    loss is the largest there is.
    """
    answers: dict[int, tuple[np.ndarray, np.ndarray]] = {}
    for number, (x, y) in enumerate(rows):
        its = [network for network, one in enumerate(which) if one == number]
        if not its:
            continue
        losses, hits = losses_and_hits(x, y, [fits[network][0] for network in its])
        diverged = np.array([fits[network][1] for network in its])
        losses[diverged], hits[diverged] = WORST_LOSS, False
        answers |= dict(zip(its, zip(losses, hits, strict=True), strict=True))
    return [answers[network] for network in range(len(fits))]


def _networks(
    folds: Sequence[Split],
    which: Sequence[int],
    fits: Sequence[Fit],
    strengths: Sequence[Sequence[Lambdas]],
) -> list[TrainedNetwork]:
    answers = row_answers(
        [(fold.x_val, fold.y_val) for fold in folds],
        which,
        [(fit.parameters, fit.diverged) for fit in fits],
    )
    return [
        TrainedNetwork(
            parameters=fit.parameters,
            layers=tuple(
                LayerTerms(penalties=terms, near_zero_weights=near_zero)
                for terms, near_zero in penalties_by_layer(fit.parameters, lambdas)
            ),
            losses=losses,
            hits=hits,
        )
        for fit, lambdas, (losses, hits) in zip(fits, strengths, answers, strict=True)
    ]
