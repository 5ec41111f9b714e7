"""The choice on validation rows: a winner in each arm, the smallest set of lambdas as good, and
tolerances.
"""

import itertools
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Self

import numpy as np

from experiments import verdict
from experiments.evaluation import BASELINE, PENALISED, Setting
from experiments.records import StudyRecord, TrialRecord
from experiments.section import Range
from experiments.spec import Experiment
from experiments.verdict import EPOCHS, RATE, Replicate
from sweeps.confirmation.crossed import LEVEL, UNKNOWN, Estimate, Scores, Weighting, estimate

FEWEST_LOSSES = 30
"""Test rows, or groups of them: intervals of losses at 97.5 % missed the truth in 15 of 100 cases
with 10 of them, in 5 with 30 (docs/statistics.md)."""
DEVIATIONS = 2.0
FURTHER = 10.0  # how far beyond the search's upper end to look, where that cut the span off
AROUND = (0.5, 1.0, 2.0)
"""The learning rates, as multiples of the recommended one, that are tried where one of its lambdas
is off: nothing else would tune that setting."""

ScoresOf = Mapping[Setting, Scores]
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
        return self.believed(found, len(units))

    def believed(self, found: Estimate, units: int) -> Estimate:
        """Return an estimate from so many rows or groups; by loss, one from too few is unknown."""
        few = not self.by_hits and units < FEWEST_LOSSES
        return Estimate(found.mean, UNKNOWN, 1.0) if few else found

    def winner(self, settings: Iterable[Setting], scores: ScoresOf) -> Setting:
        """Return the best mean; of equal ones the fewest lambdas, then the first."""
        return min(settings, key=lambda setting: (-self.mean(scores[setting]), len(setting.on)))

    def recommended(self, settings: Sequence[Setting], scores: ScoresOf) -> Setting:
        """Return, of those whose mean is within one standard error of the best, the one with the
        fewest lambdas on, then the best mean (the rule of one standard error: Breiman et al.,
        Classification and Regression Trees, 1984, section 3.4.3).
        """
        best = self.winner(settings, scores)

        def is_near(setting: Setting) -> bool:
            behind = self.described(scores[best], scores[setting])
            return setting == best or behind.mean <= behind.error

        near = filter(is_near, settings)
        return min(near, key=lambda setting: (len(setting.on), -self.mean(scores[setting])))

    def settings(
        self,
        roles: Sequence[tuple[str, Setting]],
        trials: Mapping[Setting, TrialRecord],
        scores: ScoresOf,
        best_epoch: Callable[[Setting], int],
    ) -> tuple[verdict.Confirmed, ...]:
        """Return the roles, of which the first is the winner's, with their validation means."""
        baseline = dict(roles)[BASELINE]

        def confirmed(role: str, setting: Setting) -> verdict.Confirmed:
            behind = self.described(scores[roles[0][1]], scores[setting])
            gain = self.claimed(scores[setting], scores[baseline]).interval(LEVEL)
            difference = gain if self.by_hits else gain.turned()
            return verdict.Confirmed(
                role=role,
                trial=trials[setting].trial if setting in trials else None,
                setting=setting,
                best_epoch=best_epoch(setting),
                mean=self.objective(scores[setting]),
                behind=behind.mean,
                error=behind.error,
                difference=difference if setting != baseline else None,
            )

        return tuple(itertools.starmap(confirmed, roles))

    def width(self, winner: Scores, others: Sequence[Scores]) -> float:
        """Return two pooled standard deviations, over seeds, of the difference from the winner."""
        if not others:
            return 0.0
        means = self.weighting.means
        spreads = [float((means(winner) - means(scores)).std(ddof=1)) for scores in others]
        return DEVIATIONS * math.sqrt(float(np.mean(np.square(spreads))))


def without(setting: Setting, *names: str) -> Setting:
    """Return the same setting with some lambdas switched off."""
    return replace(setting, lambdas=replace(setting.lambdas, **dict.fromkeys(names, 0.0)))


def candidates(study: StudyRecord, top: int) -> dict[Setting, TrialRecord]:
    """Return the best `top` settings of each arm, each with its best trial."""
    found: dict[Setting, TrialRecord] = {}
    for arm in (PENALISED, BASELINE):
        of_arm = [trial for trial in study.ranked if trial.setting.arm == arm]
        best = {trial.setting: trial for trial in reversed(of_arm)}
        found |= dict(list(reversed(best.items()))[:top])
    return found


def subsets(winner: Setting) -> dict[str, Setting]:
    """Return the winner with each part of its lambdas but all of them switched off, by role."""
    on = winner.on
    parts = [part for size in range(1, len(on)) for part in itertools.combinations(on, size)]
    return {verdict.WITHOUT + "+".join(part): without(winner, *part) for part in parts}


def alternatives(
    recommended: Setting, baseline: Setting, rates: Range | None
) -> dict[str, list[Setting]]:
    """Return what to try for the recommended setting without each of its lambdas, by that lambda:
    with a few learning rates, or the baseline where no lambda is left.
    """
    if len(recommended.on) == 1:
        return {recommended.on[0]: [baseline]}
    rate = recommended.learning_rate
    around = [rate * factor for factor in AROUND] if rates else [rate]
    tried = [min(max(one, rates.low), rates.high) if rates else one for one in around]
    return {
        name: [replace(without(recommended, name), learning_rate=one) for one in tried]
        for name in recommended.on
    }


def undertrained(
    experiment: Experiment, epochs: Sequence[int], used: Iterable[Setting]
) -> tuple[str, ...]:
    """Return the keys to change where networks are not trained to the end: most of the best epochs
    are the last, or a learning rate that is used lies at an end of its range.
    """
    last = sum(epoch == experiment.training.epochs for epoch in epochs)
    keys = [EPOCHS] if 2 * last > len(epochs) else []
    if rates := experiment.rates:
        tuned = [setting.learning_rate for setting in used]
        keys += [f"{RATE}.low"] * any(map(rates.begins_near, tuned))
        keys += [f"{RATE}.high"] * any(map(rates.ends_near, tuned))
    return tuple(keys)


def indistinguishable(
    study: StudyRecord, replicates: Sequence[Replicate], width: float
) -> list[TrialRecord]:
    """Return the complete trials within the width of the best setting's mean over fresh seeds. A
    trial keeps the best epoch of its own curve, so the networks of each seed are taken at theirs.
    """
    sign, curves = 1 if study.maximize else -1, [one.curves[study.objective] for one in replicates]
    by_seed = sign * np.array(curves).reshape(replicates[0].seeds, -1, len(curves[0])).mean(axis=1)
    ends = by_seed.max(axis=1) if study.experiment.kept_by is not None else by_seed[:, -1]
    least = float(ends.mean()) - width
    return [trial for trial in study.complete if sign * study.value(trial) >= least]


def tolerances(study: StudyRecord, settings: Sequence[Setting]) -> tuple[verdict.Tolerance, ...]:
    """Return the span of these settings in each lambda that is searched."""
    spans = []
    for name, axis in study.experiment.lambdas.searched.items():
        on = [getattr(one.lambdas, name) for one in settings if name in one.on]
        low, high, off = min(on, default=None), max(on, default=None), len(on) < len(settings)
        bound = axis.high * FURTHER if high and axis.ends_near(high) else None
        spans.append(verdict.Tolerance(name=name, low=low, high=high, off=off, bound=bound))
    return tuple(spans)
