"""The references on the test rows: each with its interval, and the network against it."""

import functools
import logging
from collections.abc import Sequence
from concurrent.futures import Future

import numpy as np

from experiments.datasets import Division, TestRows
from experiments.references import REFERENCES, Answers, answer
from experiments.verdict import LeftOut, Reference, TestScores
from sweeps.confirmation import tests
from sweeps.confirmation.choice import Choice
from sweeps.confirmation.crossed import Scores, Weighting, accuracy
from sweeps.confirmation.replicates import Means
from sweeps.executors.evaluator import LOST, retried

logger = logging.getLogger(__name__)

SHARE = 0.1
"""Of the level of a look, for all references together. They are tested beside the claims on the
lambdas, which must not become less certain for them."""


def measure(
    means: Means,
    divisions: Sequence[Division],
    y_val: np.ndarray,
    opened: Sequence[TestRows],
    network: Scores,
    chooser: Choice,
    alpha: float,
    margin: float,
) -> tuple[tuple[Reference, ...], tuple[LeftOut, ...]]:
    """Return the references and those that are left out. The divisions validate each row of
    `y_val` once, and `opened` are the test rows as each of them prepares them. `network`
    (seeds, rows) are the scores of the setting to use on these rows, `alpha` is the level of the
    look. Raises WorkersError.
    """
    rows, made = opened[0], _answers(means, divisions, len(y_val), opened)
    found = {name: one for name, one in made.items() if isinstance(one, Answers)}
    estimates = {
        name: chooser.claimed(network, _score(one.hits, one.losses, chooser))
        for name, one in found.items()
    }
    levels = tests.levels([estimate.p for estimate in estimates.values()], alpha * SHARE)
    by_class, by_val_class = Weighting(rows.y), Weighting(y_val)
    references = tuple(
        Reference(
            name=name,
            val_accuracy=float(one.val_hits.mean()),
            balanced_val_accuracy=_mean(one.val_hits, by_val_class),
            val_data_loss=float(one.val_losses.mean()),
            test=TestScores(
                accuracy=float(one.hits.mean()),
                balanced_accuracy=_mean(one.hits, by_class),
                data_loss=float(one.losses.mean()),
            ),
            # It is fitted once, so the interval is of the rows alone: as of two seeds that agree.
            accuracy=accuracy(np.stack([one.hits, one.hits]).astype(np.float64), rows.groups),
            comparison=tests.comparison(name, estimates[name], level, margin),
            started=one.started,
            finished=one.finished,
        )
        for (name, one), level in zip(found.items(), levels, strict=True)
    )
    return references, tuple(LeftOut(n, one) for n, one in made.items() if isinstance(one, str))


def _answers(
    means: Means, divisions: Sequence[Division], rows: int, opened: Sequence[TestRows]
) -> dict[str, Answers | str]:
    """Return what each answers, or why it does not. All are fitted at the same time, on each fold
    of the first repeat; one that was lost, perhaps because all of them needed memory, is fitted
    again alone.
    """
    logger.info("confirmation: %d references to fit", len(REFERENCES))
    evaluator, folds = means.evaluator, range(len(divisions))

    def submit(name: str, fold: int) -> Future[Answers | str]:
        test = opened[fold]
        return evaluator.executor.submit(answer, evaluator.spec.arrays, name, fold, test.x, test.y)

    futures = {(name, fold): submit(name, fold) for name in REFERENCES for fold in folds}
    for future in futures.values():
        future.exception()  # waits; what it is matters below
    found = {}
    for key, future in futures.items():
        try:
            found[key] = future.result()
        except LOST as loss:
            found[key] = retried(functools.partial(submit, *key), loss)
    return {
        name: _together([found[name, fold] for fold in folds], divisions, rows)
        for name in REFERENCES
    }


def _together(
    of_folds: Sequence[Answers | str], divisions: Sequence[Division], rows: int
) -> Answers | str:
    """Return each validation row's answer, which one fold gave, and the means on the test rows."""
    answers = [one for one in of_folds if isinstance(one, Answers)]
    if len(answers) < len(of_folds):
        return next(one for one in of_folds if isinstance(one, str))
    val_losses, val_hits = np.empty((2, rows))
    for one, division in zip(answers, divisions, strict=True):
        val_losses[division.validated], val_hits[division.validated] = one.val_losses, one.val_hits
    return Answers(
        val_losses=val_losses,
        val_hits=val_hits,
        losses=np.mean([one.losses for one in answers], axis=0),
        hits=np.mean([one.hits for one in answers], axis=0),
        started=min(one.started for one in answers),
        finished=max(one.finished for one in answers),
    )


def _score(hits: np.ndarray, losses: np.ndarray, chooser: Choice) -> Scores:
    """Return the scores by which settings are compared, (1, rows)."""
    scores: Scores = (hits if chooser.by_hits else -losses).astype(np.float64)[np.newaxis]
    return scores


def _mean(hits: np.ndarray, weighting: Weighting) -> float:
    return float(weighting.means(hits[np.newaxis])[0])
