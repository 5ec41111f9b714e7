"""What the page shows of a study: which trials one by one, and what each of them is."""

import functools
import math
from collections.abc import Callable, Iterable, Iterator

from experiments.card import strength
from experiments.records import StudyRecord, TrialRecord
from experiments.reports.axes import Axis, label, linear
from experiments.reports.plot import Plot, tip
from experiments.verdict import RECOMMENDED, RECOMMENDED_WITHOUT, WITHOUT, Setting

ALL_SHOWN, BEST_SHOWN = 2_000, 500  # of more trials than this only the best are shown one by one
OBJECTIVES = {
    "val_accuracy": "validation accuracy",
    "balanced_val_accuracy": "balanced validation accuracy",
    "val_data_loss": "validation data loss",
}


class Shown:
    """A study as the page shows it."""

    def __init__(self, study: StudyRecord) -> None:
        self.study = study
        self.objective = OBJECTIVES[study.objective]
        self.percent = study.objective.endswith("accuracy")
        self.best_shape = "ring" if study.verdict else "star"
        self.worse_shape = "down" if study.maximize else "up"

    @functools.cached_property
    def numbers(self) -> set[int | None]:
        """The trials that are shown one by one: all, or the best, those that were the best when
        they came, those that were confirmed, and the baseline.
        """
        study = self.study
        trials: Iterable[TrialRecord] = study.trials
        if len(study.trials) > ALL_SHOWN:
            trials = [*study.ranked[:BEST_SHOWN], *self.leaders, *study.trials[:1]]
        confirmed = study.verdict.settings if study.verdict else ()
        return {one.trial for one in trials} | {one.trial for one in confirmed}

    @functools.cached_property
    def ranked(self) -> list[TrialRecord]:
        """Those of them that have an objective, best first."""
        return [trial for trial in self.study.ranked if trial.trial in self.numbers]

    @functools.cached_property
    def leaders(self) -> list[TrialRecord]:
        """The trials that were better than all before them."""
        found: list[TrialRecord] = []
        for trial in self.study.complete:
            value = self.study.value(trial)
            if not found or self._is_worse(self.study.value(found[-1]), value):
                found.append(trial)
        return found

    def _is_worse(self, value: float, than: float) -> bool:
        return value < than if self.study.maximize else value > than

    @functools.cached_property
    def limit(self) -> float | None:
        """The worst objective that the figures have room for; worse trials are drawn there, as
        triangles. None: there is no worse one.

        It leaves out the worst tenth, but neither the baseline nor what is recommended: one
        diverged trial would otherwise squeeze all others into a line.
        """
        study = self.study
        if study.baseline is None:
            return None
        values = sorted(map(study.value, study.complete), reverse=study.maximize)
        limits = [values[math.ceil(len(values) * 0.9) - 1], study.value(study.baseline)]
        if study.verdict:
            limits.append(study.verdict.setting(RECOMMENDED).mean)
        worst = min(limits) if study.maximize else max(limits)
        # with a little room, so that no triangle is taken for a trial at the edge
        return worst - (values[0] - worst) / 12 if worst != values[0] else None

    def is_beyond(self, value: float) -> bool:
        """Whether an objective is worse than the limit."""
        return self.limit is not None and self._is_worse(value, self.limit)

    def height(self, value: float) -> float:
        """Where an objective is drawn: at the limit if it is worse."""
        return self.limit if self.limit is not None and self.is_beyond(value) else value

    @functools.cached_property
    def axis(self) -> Axis:
        """The axis of the objective."""
        values = [self.study.value(trial) for trial in self.ranked]
        values += [setting.mean for _, _, setting in self.settings]
        return linear(map(self.height, values), percent=self.percent)

    def label(self, value: float) -> str:
        """An objective as it stands in a legend."""
        return label(float(f"{value:.3g}"), percent=self.percent)

    @functools.cached_property
    def kinds(self) -> dict[tuple[str, str], list[TrialRecord]]:
        """The trials by the shape and the kind of their marks; what comes later is on top."""
        study, tied = self.study, set(self.study.verdict.tied if self.study.verdict else ())
        best, baseline = (self.best_shape, "best"), ("diamond", "baseline")
        kinds: dict[tuple[str, str], list[TrialRecord]] = {
            kind: []
            for kind in (
                ("circle", "trial"),
                (self.worse_shape, "trial"),
                ("circle", "tied"),
                baseline,
                best,
            )
        }
        for trial in self.ranked:
            if self.is_beyond(study.value(trial)):
                kinds[self.worse_shape, "trial"].append(trial)
            elif trial.trial in tied:
                kinds["circle", "tied"].append(trial)
            elif trial not in (study.best, study.baseline):
                kinds["circle", "trial"].append(trial)
        kinds[baseline] += [trial for trial in self.ranked if trial is study.baseline]
        kinds[best] += [trial for trial in self.ranked if trial is study.best]
        return kinds

    def draw_trials(self, plot: Plot, x: Callable[[TrialRecord], float]) -> None:
        """Draw a mark for each trial, at the height of its objective."""
        for (shape, kind), trials in self.kinds.items():
            at = [(x(trial), self.height(self.study.value(trial)), of(trial)) for trial in trials]
            plot.points(shape, kind, at)

    @functools.cached_property
    def settings(self) -> list[tuple[str, str, Setting]]:
        """The settings of the confirmation, each with the shape and the kind of its mark."""
        return list(self._settings())

    def _settings(self) -> Iterator[tuple[str, str, Setting]]:
        verdict = self.study.verdict
        if verdict:
            seen = {verdict.recommended}  # a setting in two roles is one mark
            for setting in verdict.settings:
                if setting.lambdas not in seen:
                    seen.add(setting.lambdas)
                    beyond = self.is_beyond(setting.mean)
                    yield self.worse_shape if beyond else "square", "fresh", setting
            yield "star", "best", verdict.setting(RECOMMENDED)


def of(trial: TrialRecord) -> str:
    """The attribute of a mark that says which trial it is."""
    return f'data-trial="{trial.trial}"'


def tip_of(setting: Setting) -> str:
    """What the mark of a setting shows where a pointer rests on it."""
    on = [f"{name} {strength(getattr(setting.lambdas, name))}" for name in setting.lambdas.on]
    return tip(f"{in_words(setting.role)}: {', '.join(on) or 'all off'}\n{setting.mean:.4f}")


def in_words(role: str) -> str:
    """A role in words: `recommended, without weight_l1`."""
    if role.startswith(RECOMMENDED_WITHOUT):
        return f"recommended, without {role.removeprefix(RECOMMENDED_WITHOUT)}"
    return f"winner, without {role.removeprefix(WITHOUT)}" if role.startswith(WITHOUT) else role
