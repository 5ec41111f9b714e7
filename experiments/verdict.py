"""The verdict: what the confirmation of a study found, as plain data that is kept on the study."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from experiments.evaluation import BASELINE as BASELINE
from experiments.evaluation import LayerTerms, Metrics, Setting, TrialResult

WINNER, CANDIDATE, RECOMMENDED = "winner", "candidate", "recommended"
BASELINE_CANDIDATE = f"{BASELINE}_{CANDIDATE}"
WITHOUT = "without_"  # before lambdas, with a + between them: the winner with those switched off
RECOMMENDED_WITHOUT = f"{RECOMMENDED}_{WITHOUT}"  # likewise, the learning rate tuned again
REFERENCE = "reference:"  # before its name

BETTER, WORSE, SAME, UNDECIDED, SEALED = "better", "worse", "same", "undecided", "sealed"
NARROW = 0.9
"""The level of the interval that lies within the margin where a difference does not matter: two
one-sided tests at 5 % (Schuirmann, J. Pharmacokinetics and Biopharmaceutics 15, 1987)."""

EPOCHS, RATE = "training.epochs", "training.learning_rate"  # keys that leave networks undertrained

KEEP, OPTIONAL, DROP = "keep", "optional", "drop"
KEEPING = {BETTER: KEEP, WORSE: DROP, SAME: OPTIONAL, UNDECIDED: UNDECIDED, SEALED: SEALED}
"""What to do with a lambda, by how the recommended setting compares with itself without it."""


@dataclass(frozen=True)
class TestScores:
    """One network on the sealed test rows."""

    __test__ = False  # pytest would take the name for a test's

    accuracy: float
    balanced_accuracy: float
    data_loss: float


@dataclass(frozen=True, kw_only=True)
class Replicate(TrialResult):
    """A setting trained again with a fresh seed, one of so many `seeds` that share the kept epoch;
    of a cross-validation on one `fold`, from 1. `test` only if the test set was opened.
    """

    setting: Setting
    seed: int
    seeds: int
    metrics: Metrics
    layers: tuple[LayerTerms, ...]
    fold: int | None = None
    test: TestScores | None = None


@dataclass(frozen=True, kw_only=True)
class Confirmed:
    """A setting in one of its roles, the trial that it is from, if any, and its kept epoch.

    `mean` is the objective on the validation rows, over the fresh seeds; `behind` how much better
    the winner's is (positive also where less is better), and `error` the standard error of that
    difference over rows and seeds. `difference` is the objective minus the baseline's, with its
    95 % interval; None of the baseline itself, and in a verdict of an older version.
    """

    role: str
    trial: int | None
    setting: Setting
    best_epoch: int
    mean: float
    behind: float
    error: float
    difference: "Interval | None" = None


@dataclass(frozen=True, kw_only=True)
class Interval:
    """A mean with its confidence interval at a level, for example 0.95."""

    mean: float
    low: float
    high: float
    level: float

    def turned(self) -> "Interval":
        return replace(self, mean=-self.mean, low=-self.high, high=-self.low)

    def within(self, least: float, most: float) -> "Interval":
        return replace(self, low=max(self.low, least), high=min(self.high, most))


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """The recommended setting against another on the test rows, in the objective's metric; positive
    is better. `against` is "baseline", or the lambda that is switched off.

    `gain` is at the level at which Holm's procedure tests it, `narrow` at NARROW. `p` is two-sided
    and not adjusted. `detectable` is the smallest difference that is found with 80 % power.
    """

    against: str
    gain: Interval
    narrow: Interval
    p: float
    detectable: float
    word: str


@dataclass(frozen=True, kw_only=True)
class Tolerance:
    """The span of a lambda over the trials that are indistinguishable from the winner: `low` and
    `high` (None if it is off in all), whether it is `off` in one, and the upper end to try where
    the search's own cut the span off.
    """

    name: str
    low: float | None
    high: float | None
    off: bool
    bound: float | None = None


@dataclass(frozen=True, kw_only=True)
class Opening:
    """A look at the test rows: how often they have been used (1 = first), the error rate left.
    `unread` are studies whose looks could not be counted.
    """

    number: int
    alpha: float
    opened: datetime
    unread: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Reference:
    """A model of `experiments.references` on the validation rows and on the test rows. `accuracy`
    is its 95 % interval on the test rows, `comparison` is of the setting to use with it.
    """

    name: str
    val_accuracy: float
    balanced_val_accuracy: float
    val_data_loss: float
    test: TestScores
    accuracy: Interval
    comparison: Comparison
    started: datetime
    finished: datetime

    @property
    def role(self) -> str:
        return f"{REFERENCE}{self.name}"


@dataclass(frozen=True)
class LeftOut:
    """A reference that could not be fitted, and why."""

    name: str
    reason: str


@dataclass(frozen=True, kw_only=True)
class OuterFold:
    """What the search of an outer fold came to on its test rows, so many `rows`: the best setting
    of each arm, and its mean in the objective's metric.
    """

    study: str
    rows: int
    penalised: Setting
    baseline: Setting
    with_penalties: float
    without: float


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """The answer, which is current as long as `basis` is what it would be today.

    `settings` are in the order of confirm.csv. `indistinguishable` are the trials that the seeds
    cannot tell from the winner. `best_...` are the score of the search's best trial, and its mean
    elsewhere.
    `undertrained` are the keys of the experiment file to change because networks are not trained to
    the end. `majority` is the share of the most common class among the validation rows, `diverged`
    how many of the recommended setting's networks diverged.

    `word` is how the recommended setting compares with the baseline. While it is sealed all that
    follows is empty; where the baseline is recommended there are no comparisons. Accuracies are
    95 % intervals on the test rows, of which `rarest` are of the rarest class. `unfair_gain` is
    what penalties seem to gain with the same learning rate on both sides and the last epoch.
    `left_out` are the references that could not be fitted.

    With `outer` folds, what is compared is searching with penalties and without, over the test rows
    of all of them: the comparison, the accuracies and `searched`, the mean objective of both, are
    of these searches, `settings` of the one that used all rows.
    """

    basis: Mapping[str, Any]
    objective: str
    seeds: tuple[int, ...]
    margin: float
    settings: tuple[Confirmed, ...]
    indistinguishable: tuple[int, ...]
    tolerances: tuple[Tolerance, ...]
    undertrained: tuple[str, ...]
    best_in_search: float
    best_on_fresh_seeds: float
    rows: Mapping[str, int]
    majority: float
    diverged: int
    word: str
    opening: Opening | None = None
    comparisons: tuple[Comparison, ...] = ()
    accuracy: Interval | None = None
    baseline_accuracy: Interval | None = None
    best_on_test: float | None = None
    rarest: int | None = None
    unfair_gain: float | None = None
    references: tuple[Reference, ...] = ()
    left_out: tuple[LeftOut, ...] = ()
    outer: tuple[OuterFold, ...] = ()
    searched: tuple[float, float] | None = None

    def confirmed(self, role: str) -> Confirmed:
        return next(one for one in self.settings if one.role == role)

    @property
    def baseline(self) -> Setting:
        """The winner of the baseline arm."""
        return self.confirmed(BASELINE).setting

    @property
    def recommended(self) -> Setting:
        """The setting that the confirmation chose; what to use may be another: see `use`."""
        return self.confirmed(RECOMMENDED).setting

    @property
    def use(self) -> Setting:
        """What to use: what is recommended, or the baseline where that did worse on test rows."""
        return self.used.setting

    @property
    def used(self) -> Confirmed:
        """The same with its kept epoch."""
        return self.confirmed(BASELINE if self.word == WORSE else RECOMMENDED)

    @property
    def against_baseline(self) -> Comparison | None:
        return next((one for one in self.comparisons if one.against == BASELINE), None)

    @property
    def gain(self) -> Interval | None:
        """The gain over the baseline on the test rows: exactly 0 where that is recommended."""
        if self.against_baseline:
            return self.against_baseline.gain
        return Interval(mean=0.0, low=0.0, high=0.0, level=1.0) if self.opening else None

    def keeping(self, name: str) -> str | None:
        """Return what to do with a lambda: a value of KEEPING; None if it is off."""
        if name not in self.use.on:
            return None
        words = {comparison.against: comparison.word for comparison in self.comparisons}
        untested = SEALED if self.outer and len(self.use.on) > 1 else self.word
        return KEEPING[words.get(name, untested)]
