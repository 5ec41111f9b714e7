"""What the page shows of a study: which trials one by one, and as what."""

import math
from collections.abc import Callable
from functools import cached_property
from itertools import pairwise

from experiments.measures import parameter, percent, strength
from experiments.records import COMPLETE, FAIL, PRUNED, StudyRecord, TrialRecord
from experiments.reports.axes import Axis, linear
from experiments.reports.plot import Plot, tip
from experiments.verdict import BASELINE, BETTER, RECOMMENDED, SEALED, Confirmed

ALL_SHOWN, BEST_SHOWN = 1_000, 500  # of more trials than this only the best are shown one by one
MANY = 300  # of more marks than this each is small and faint
SPREAD = 0.08  # of the step between two scores: how far many trials of one score are spread
ROOT = 0.414214  # whose multiples spread them evenly, and on no line with those of axes.SPREADS
SPREAD_SHAPES = ("circle", "lozenge")
INDISTINGUISHABLE = "indistinguishable"  # from the best, by the verdict
CHOICES = {BETTER: "recommended", SEALED: "suggested"}


class Shown:
    """A study on the page: `ranked` are the complete trials shown, best first, and `rest` counts
    the others; `others` are trials shown that are not complete, those `pruned` among them.
    """

    def __init__(self, study: StudyRecord) -> None:
        self.study = study
        self.objective = in_words(study.objective)
        self.percent = study.objective.endswith("accuracy")
        self.is_many = len(study.ranked) > MANY
        self.worse_shape = "down" if study.maximize else "up"
        few = BEST_SHOWN if len(study.trials) > ALL_SHOWN else ALL_SHOWN
        worse = study.ranked[few:]
        self.ranked = study.ranked[:few] + [trial for trial in worse if trial is study.baseline]
        self.rest = len(study.ranked) - len(self.ranked)
        self.others = [trial for trial in study.trials if trial.state != COMPLETE][:BEST_SHOWN]
        self.pruned = [trial for trial in self.others if trial.state == PRUNED]

    @property
    def choice(self) -> str:
        """What the verdict calls its setting: a key of CHOICES; empty if it recommends none."""
        verdict = self.study.verdict
        return CHOICES.get(verdict.word, "") if verdict and verdict.recommended.on else ""

    @property
    def penalised_kind(self) -> str:
        """The kind of what stands for the penalised arm."""
        return "recommended" if self.choice else "trial"

    def value(self, value: float) -> str:
        """A value of the objective as the axes have it, with a digit more."""
        return percent(value) if self.percent else f"{value:.4g}"

    @cached_property
    def limit(self) -> float:
        """The worst objective that the figures have room for. It leaves out the worst tenth (one
        diverged trial would squeeze all others into a line), but not the baseline nor what is
        recommended.
        """
        study = self.study
        values = [study.value(trial) for trial in study.ranked]
        limits = values[math.ceil(len(values) * 0.9) - 1 :][:1]
        limits += [study.value(study.baseline)] if study.baseline else values[-1:]
        if study.verdict:
            limits.append(study.verdict.confirmed(RECOMMENDED).mean)
        worst = min(limits) if study.maximize else max(limits)
        # with a little room, so that no triangle is taken for a trial at the edge
        return worst - (values[0] - worst) / 12 if worst != values[0] else values[-1]

    def height(self, value: float) -> float:
        return max(value, self.limit) if self.study.maximize else min(value, self.limit)

    def is_beyond(self, value: float) -> bool:
        return self.height(value) != value

    @cached_property
    def axis(self) -> Axis:
        values = [self.study.value(trial) for trial in self.ranked]
        values += [setting.mean for setting in self.settings]
        return linear(map(self.height, values), percent=self.percent)

    @cached_property
    def spread(self) -> float:
        """How far trials of one score are spread, for many of them not to be one line."""
        scores = sorted({self.study.value(trial) for trial in self.ranked})
        steps = [high - low for low, high in pairwise(scores)]
        return SPREAD * min(steps, default=0.0) if self.is_many else 0.0

    def draw_trials(self, plot: Plot, x: Callable[[TrialRecord], float]) -> None:
        """Draw a mark for each trial, the best on top."""
        for trial in reversed(self.ranked):
            shape, kind = self.mark(trial)
            height = self.height(self.study.value(trial))
            if shape in SPREAD_SHAPES:
                height += self.spread * (trial.trial * ROOT % 1 - 0.5)
            plot.point(shape, kind, x(trial), height, of(trial))

    def mark(self, trial: TrialRecord) -> tuple[str, str]:
        study, kind = self.study, BASELINE if trial.setting.arm == BASELINE else "trial"
        if trial is study.best:
            return "ring", kind
        if trial is study.baseline:
            return "diamond", kind
        if self.is_beyond(study.value(trial)):
            return self.worse_shape, kind
        if kind == BASELINE:
            return "lozenge", kind
        return "circle", INDISTINGUISHABLE if self.is_indistinguishable(trial) else kind

    def is_indistinguishable(self, trial: TrialRecord) -> bool:
        """Whether the verdict found no difference between a trial and the best."""
        return (
            self.study.verdict is not None and trial.trial in self.study.verdict.indistinguishable
        )

    def roles(self, trial: TrialRecord) -> str:
        """The words that the table of trials has for a trial, and that its filter knows."""
        study, equal = self.study, self.study.ranked[: self.study.tied]
        words = {
            "best": trial is study.best,
            "tied": len(equal) > 1 and any(trial is one for one in equal),
            INDISTINGUISHABLE: self.is_indistinguishable(trial),
            BASELINE: trial.setting.arm == BASELINE,
            "pruned": trial.state == PRUNED,
            "failed": trial.state == FAIL,
        }
        return ", ".join(word for word, applies in words.items() if applies)

    @cached_property
    def settings(self) -> list[Confirmed]:
        """The settings of the confirmation, each in one role, the recommended one last."""
        verdict = self.study.verdict
        if verdict is None:
            return []
        recommended = verdict.confirmed(RECOMMENDED)
        others = {one.setting: one for one in verdict.settings}
        del others[recommended.setting]
        return [*others.values(), recommended]

    def tip_of(self, confirmed: Confirmed) -> str:
        """What the mark of a setting shows where a pointer rests on it."""
        return tip(f"{self.role(confirmed)}: {setting_of(confirmed)}\n{self.value(confirmed.mean)}")

    def role(self, confirmed: Confirmed) -> str:
        """A role in words: `recommended, without weight_l1`."""
        if confirmed.role == RECOMMENDED and not confirmed.setting.on:
            return BASELINE
        words = confirmed.role.replace(RECOMMENDED, self.choice or "compared")
        words = words.replace("_without_", ", without ").replace("without_", "without ")
        return words.replace("_", " ") if words.startswith(BASELINE) else words.replace("+", ", ")


def of(trial: TrialRecord) -> str:
    """The attribute of a mark that says which trial it is."""
    return f'data-trial="{trial.trial}"'


def setting_of(one: Confirmed | TrialRecord) -> str:
    """For example `weight_l2 0.033, learning_rate 0.013`, and a user's own parameters."""
    lambdas = one.setting.lambdas
    on = [f"{name} {strength(getattr(lambdas, name))}" for name in lambdas.on] or ["all off"]
    own = [f"{name} {parameter(value)}" for name, value in one.setting.parameters]
    return ", ".join([*on, f"learning_rate {strength(one.setting.learning_rate)}", *own])


def in_words(metric: str) -> str:
    """For example `validation accuracy`."""
    return metric.replace("val_", "validation ").replace("_", " ")
