"""The choice, on the validation rows: the winner on fresh seeds, and the simplest setting that is
as good.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from experiments.records import StudyRecord, TrialRecord
from experiments.verdict import (
    BASELINE,
    CANDIDATE,
    RECOMMENDED,
    RECOMMENDED_WITHOUT,
    WINNER,
    WITHOUT,
    Setting,
)
from nnreg import Lambdas
from sweeps.confirmation.crossed import UNKNOWN, Estimate, Scores, Weighting, estimate

FEWEST_LOSSES = 30
"""Test rows, or groups of them: intervals of losses at 97.5 % missed the truth in 15 of 100 cases with 10 of them, in 5 with 30
(docs/statistics.md)."""

ScoresOf = Mapping[Lambdas, Scores]
"""Scores (seeds, rows) of each setting; more is better, also where the objective is a loss."""


@dataclass(frozen=True)
class Choice:
    """How settings are compared: what each row counts, and whether scores are hits (else losses
    with the sign turned).
    """

    weighting: Weighting
    counted: bool

    def mean(self, scores: Scores) -> float:
        """The mean over seeds and rows."""
        return float(self.weighting.means(scores).mean())

    def described(self, one: Scores, other: Scores) -> Estimate:
        """How much better one is than another, paired by seed and row, as it was seen: to choose
        by.
        """
        return estimate(one - other, self.weighting, counted=False)

    def claimed(self, one: Scores, other: Scores) -> Estimate:
        """The same for a claim: with the imagined rows where hits are counted, unknown where losses
        are too few to be trusted.
        """
        found = estimate(one - other, self.weighting, counted=self.counted)
        few = not self.counted and self.weighting.count(one) < FEWEST_LOSSES
        return Estimate(found.mean, UNKNOWN, 1.0) if few else found

    def spread(self, one: Scores, other: Scores) -> float:
        """The standard deviation over the seeds of the paired difference."""
        return float((self.weighting.means(one) - self.weighting.means(other)).std(ddof=1))

    def winner(self, candidates: Sequence[Lambdas], scores: ScoresOf) -> Lambdas:
        """The best mean; of equal ones the fewest lambdas, then the first."""
        return min(candidates, key=lambda lambdas: (-self.mean(scores[lambdas]), len(lambdas.on)))

    def recommended(
        self, winner: Lambdas, settings: Sequence[Lambdas], scores: ScoresOf
    ) -> Lambdas:
        """Of those whose mean is within one standard error of the winner's the one with the fewest
        lambdas on, then the best mean (the rule of one standard error: Breiman et al.,
        Classification and Regression Trees, 1984, section 3.4.3).
        """
        near = [
            lambdas
            for lambdas in settings
            if lambdas == winner or self._is_near(scores[winner], scores[lambdas])
        ]
        return min(near, key=lambda lambdas: (len(lambdas.on), -self.mean(scores[lambdas])))

    def _is_near(self, winner: Scores, other: Scores) -> bool:
        behind = self.described(winner, other)
        return behind.mean <= behind.error


def without(lambdas: Lambdas, name: str) -> Lambdas:
    """The same setting with one lambda switched off."""
    return replace(lambdas, **{name: 0.0})


def candidates(study: StudyRecord, top: int) -> dict[Lambdas, TrialRecord]:
    """The baseline, and the best `top` settings beside it, each with its best trial. Empty without
    a complete baseline.
    """
    if study.baseline is None:
        return {}
    found = {study.baseline.lambdas: study.baseline}
    for trial in study.ranked:
        if len(found) > top:
            break
        found.setdefault(trial.lambdas, trial)
    return found


def roles(
    trials: Mapping[Lambdas, TrialRecord], winner: Lambdas, recommended: Lambdas
) -> list[tuple[str, Lambdas]]:
    """Every setting of a confirmation in each of its roles, in the order of confirm.csv."""
    listed = [(WINNER, winner)]
    listed += [(CANDIDATE, lambdas) for lambdas in trials if lambdas not in (winner, Lambdas())]
    listed += [(f"{WITHOUT}{name}", without(winner, name)) for name in winner.on]
    listed += [(RECOMMENDED, recommended)]
    if recommended != winner:
        listed += [
            (f"{RECOMMENDED_WITHOUT}{name}", without(recommended, name)) for name in recommended.on
        ]
    return [*listed, (BASELINE, Lambdas())]


def settings(
    listed: Sequence[tuple[str, Lambdas]],
    trials: Mapping[Lambdas, TrialRecord],
    scores: ScoresOf,
    choice: Choice,
    sign: int,
) -> tuple[Setting, ...]:
    """The roles with their means on the validation rows; `sign` turns a score into the objective."""
    best = scores[listed[0][1]]
    made = []
    for role, lambdas in listed:
        behind = choice.described(best, scores[lambdas])
        trial = trials.get(lambdas)
        made.append(
            Setting(
                role=role,
                trial=trial.trial if trial else None,
                lambdas=lambdas,
                mean=sign * choice.mean(scores[lambdas]),
                behind=behind.mean,
                error=behind.error,
            )
        )
    return tuple(made)
