"""The choice on validation rows: winner, simplest setting as good, and tolerances."""

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Self

import numpy as np

from experiments import verdict
from experiments.records import StudyRecord, TrialRecord
from nnreg import Lambdas
from sweeps.confirmation.crossed import UNKNOWN, Estimate, Scores, Weighting, estimate

FEWEST_LOSSES = 30
"""Test rows, or groups of them: intervals of losses at 97.5 % missed the truth in 15 of 100 cases
with 10 of them, in 5 with 30 (docs/statistics.md)."""
DEVIATIONS = 2.0
FURTHER = 10.0  # how far beyond the search's upper end to look, where that cut the span off

ScoresOf = Mapping[Lambdas, Scores]
"""Scores (seeds, rows) of each setting; more is better, also where the objective is a loss."""


@dataclass(frozen=True)
class Choice:
    """How settings are compared: the weight of each row, by hits or by (negative) losses."""

    weighting: Weighting
    by_hits: bool

    @classmethod
    def by(cls, objective: str, y: np.ndarray, groups: np.ndarray | None) -> Self:
        """Return the one for an objective, on rows of these classes and groups."""
        weighting = Weighting(y if objective == "balanced_val_accuracy" else None, groups)
        return cls(weighting, by_hits=objective != "val_data_loss")

    def mean(self, scores: Scores) -> float:
        return float(self.weighting.means(scores).mean())

    def objective(self, scores: Scores) -> float:
        return self.mean(scores) if self.by_hits else -self.mean(scores)

    def described(self, one: Scores, other: Scores) -> Estimate:
        """Return how much better one is than another, paired by seed and row, to choose by."""
        return estimate(one - other, self.weighting, counted=False)

    def claimed(self, one: Scores, other: Scores) -> Estimate:
        """Return the same for a claim: imagined rows added to hits, too few losses unknown."""
        found = estimate(one - other, self.weighting, counted=self.by_hits)
        _, units = self.weighting.units(one)
        few = not self.by_hits and len(units) < FEWEST_LOSSES
        return Estimate(found.mean, UNKNOWN, 1.0) if few else found

    def winner(self, candidates: Sequence[Lambdas], scores: ScoresOf) -> Lambdas:
        """Return the best mean; of equal ones the fewest lambdas, then the first."""
        return min(candidates, key=lambda lambdas: (-self.mean(scores[lambdas]), len(lambdas.on)))

    def recommended(
        self, winner: Lambdas, settings: Sequence[Lambdas], scores: ScoresOf
    ) -> Lambdas:
        """Return, of those whose mean is within one standard error of the winner's, the one with
        the fewest lambdas on, then the best mean (the rule of one standard error: Breiman et al.,
        Classification and Regression Trees, 1984, section 3.4.3).
        """

        def is_near(lambdas: Lambdas) -> bool:
            behind = self.described(scores[winner], scores[lambdas])
            return lambdas == winner or behind.mean <= behind.error

        near = filter(is_near, settings)
        return min(near, key=lambda lambdas: (len(lambdas.on), -self.mean(scores[lambdas])))

    def settings(
        self,
        roles: Sequence[tuple[str, Lambdas]],
        trials: Mapping[Lambdas, TrialRecord],
        scores: ScoresOf,
    ) -> tuple[verdict.Setting, ...]:
        """Return the roles, of which the first is the winner's, with their validation means."""

        def setting(role: str, lambdas: Lambdas) -> verdict.Setting:
            behind = self.described(scores[roles[0][1]], scores[lambdas])
            return verdict.Setting(
                role=role,
                trial=trials[lambdas].trial if lambdas in trials else None,
                lambdas=lambdas,
                mean=self.objective(scores[lambdas]),
                behind=behind.mean,
                error=behind.error,
            )

        return tuple(itertools.starmap(setting, roles))

    def width(self, winner: Scores, others: Sequence[Scores]) -> float:
        """Return two pooled standard deviations, over seeds, of the difference from the winner."""
        if not others:
            return 0.0
        means = self.weighting.means
        spreads = [float((means(winner) - means(scores)).std(ddof=1)) for scores in others]
        return DEVIATIONS * math.sqrt(float(np.mean(np.square(spreads))))


def without(lambdas: Lambdas, name: str) -> Lambdas:
    """Return the same setting with one lambda switched off."""
    return replace(lambdas, **{name: 0.0})


def candidates(study: StudyRecord, top: int) -> dict[Lambdas, TrialRecord]:
    """Return the baseline and the best `top` settings beside it, each with its best trial."""
    assert study.baseline is not None
    found = {study.baseline.lambdas: study.baseline}
    for trial in study.ranked:
        if len(found) > top:
            break
        found.setdefault(trial.lambdas, trial)
    return found


def roles(
    trials: Mapping[Lambdas, TrialRecord], winner: Lambdas, recommended: Lambdas
) -> list[tuple[str, Lambdas]]:
    """Return every setting of a confirmation in each of its roles, in the order of confirm.csv."""
    listed = [(verdict.WINNER, winner)]
    listed += [
        (verdict.CANDIDATE, lambdas) for lambdas in trials if lambdas not in (winner, Lambdas())
    ]
    listed += [(f"{verdict.WITHOUT}{name}", without(winner, name)) for name in winner.on]
    listed += [(verdict.RECOMMENDED, recommended)]
    if recommended != winner:
        listed += [
            (f"{verdict.RECOMMENDED_WITHOUT}{name}", without(recommended, name))
            for name in recommended.on
        ]
    return [*listed, (verdict.BASELINE, Lambdas())]


def tied(study: StudyRecord, winner_mean: float, width: float) -> list[TrialRecord]:
    """Return the complete trials within the width of the winner's mean over fresh seeds."""
    sign = 1 if study.maximize else -1
    return [
        trial for trial in study.complete if sign * (study.value(trial) - winner_mean) >= -width
    ]


def tolerances(study: StudyRecord, settings: Sequence[Lambdas]) -> tuple[verdict.Tolerance, ...]:
    """Return the span of these settings in each lambda that is searched."""
    spans = []
    for name, axis in study.experiment.lambdas.searched.items():
        on = [getattr(lambdas, name) for lambdas in settings if name in lambdas.on]
        low, high, off = min(on, default=None), max(on, default=None), len(on) < len(settings)
        bound = axis.high * FURTHER if high and axis.ends_near(high) else None
        spans.append(verdict.Tolerance(name=name, low=low, high=high, off=off, bound=bound))
    return tuple(spans)
