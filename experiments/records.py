"""The records: one study and its trials as plain data, for everything downstream."""

import dataclasses
import functools
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from experiments.evaluation import BASELINE, CURVES, METRICS, Setting, TrialResult
from experiments.spec import Experiment
from experiments.verdict import Replicate, Verdict
from nnreg import Lambdas

OUTER = "-outer-"  # between the name of a study and the number of an outer fold that tests it
COMPLETE, PRUNED, FAIL = "COMPLETE", "PRUNED", "FAIL"


@dataclass(frozen=True, kw_only=True)
class TrialRecord(TrialResult):
    """One trial of a study: its number, generation, state and setting, and what was measured."""

    trial: int
    generation: int
    state: str
    setting: Setting

    @property
    def lambdas(self) -> Lambdas:
        return self.setting.lambdas

    @property
    def numbers(self) -> dict[str, float | None]:
        """The setting and the metrics by column of trials.csv; a failed trial has no metrics."""
        return self.setting.numbers | {name: getattr(self.metrics, name, None) for name in METRICS}

    @property
    def val_accuracy(self) -> float | None:
        return self.metrics.val_accuracy if self.metrics else None

    @property
    def val_data_loss(self) -> float | None:
        return self.metrics.val_data_loss if self.metrics else None


@dataclass(frozen=True, kw_only=True)
class StudyRecord:
    """One study of an experiment, as plain data.

    `versions` and `provenance` (command, commit, user) are those of its birth. `data` has the
    digest of its data, their `features` and the `rows` of each part. `mixed_hardware` lists how
    workers of a cluster differed from their driver, as `name: here -> there`. `unseeded` is how
    two evaluations of the first trial differed. `unkept` is the origin of a model that cannot be
    kept as arrays. `aim` is how many
    trials were asked for. `importances` are shares of the searched lambdas. `verdict` is that of
    the last confirmation, `replicates` are the networks of all.
    """

    study: str
    study_uid: str
    experiment: Experiment
    fingerprint: str
    versions: Mapping[str, str]
    aim: int
    trials: tuple[TrialRecord, ...] = ()
    importances: Mapping[str, float] = dataclasses.field(default_factory=dict)
    verdict: Verdict | None = None
    replicates: tuple[Replicate, ...] = ()
    mixed_hardware: tuple[str, ...] = ()
    unseeded: str = ""
    unkept: Mapping[str, Any] | None = None
    provenance: Mapping[str, str] = dataclasses.field(default_factory=dict)
    data: Mapping[str, Any] = dataclasses.field(default_factory=dict)

    @property
    def objective(self) -> str:
        return self.experiment.sweep.objective

    @property
    def maximize(self) -> bool:
        return self.experiment.maximize

    @property
    def family(self) -> str | None:
        """The study that this one tests on an outer fold; None of other studies."""
        fold = self.experiment.data.split.outer_fold
        name, suffix = self.study, f"{OUTER}{fold}"
        return name.removesuffix(suffix) if fold and name.endswith(suffix) else None

    def value(self, trial: TrialRecord) -> float:
        """The objective of a complete trial."""
        return float(getattr(trial.metrics, self.objective))

    @functools.cached_property
    def complete(self) -> tuple[TrialRecord, ...]:
        """The trials that have an objective."""
        return tuple(trial for trial in self.trials if trial.state == COMPLETE)

    @functools.cached_property
    def baseline(self) -> TrialRecord | None:
        """The best trial without any penalty. None until one is complete."""
        return next((trial for trial in self.ranked if trial.setting.arm == BASELINE), None)

    @functools.cached_property
    def ranked(self) -> list[TrialRecord]:
        """Complete trials, best first: objective, val_data_loss, fewest lambdas on, number."""
        sign = -1 if self.maximize else 1
        return sorted(
            self.complete,
            key=lambda t: (sign * self.value(t), t.val_data_loss, len(t.lambdas.on), t.trial),
        )

    @property
    def best(self) -> TrialRecord | None:
        return next(iter(self.ranked), None)

    @functools.cached_property
    def confirmed(self) -> dict[Setting, tuple[Replicate, ...]]:
        """The networks of the verdict by setting, seed by seed. Test scores are there only where
        the verdict itself has them: the test set may have been opened for an earlier one.
        """
        if self.verdict is None:
            return {}
        opened, kept = self.verdict.opening is not None, dict[Setting, list[Replicate]]()
        for one in self.replicates:
            if one.seeds == len(self.verdict.seeds):
                shown = one if opened else dataclasses.replace(one, test=None)
                kept.setdefault(one.setting, []).append(shown)
        return {one.setting: tuple(kept[one.setting]) for one in self.verdict.settings}

    @functools.cached_property
    def own_curves(self) -> tuple[str, ...]:
        """The names of the further numbers that a user's own network yields."""
        if self.experiment.own is None:
            return ()
        names = dict.fromkeys(name for trial in self.trials for name in trial.curves)
        return tuple(name for name in names if name not in (*CURVES, *METRICS))

    @property
    def tied(self) -> int:
        """How many trials share the best objective, the best itself included."""
        values = [self.value(trial) for trial in self.ranked]
        return values.count(values[0]) if values else 0
