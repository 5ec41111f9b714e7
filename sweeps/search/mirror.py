"""The mirror: an in-memory Optuna study that holds whole generations alone, and proposes the next
one.
"""

import copy
from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass

from optuna.distributions import BaseDistribution, FloatDistribution
from optuna.samplers import RandomSampler
from optuna.storages import InMemoryStorage
from optuna.trial import FrozenTrial, TrialState, create_trial

from experiments.errors import InputError
from sweeps.search.samplers import SamplerKind
from sweeps.search.space import Space
from sweeps.storage.storage import create_study

SEEN = 4
"""Generations (of 8 trials or more) that a sampler sees which remembers: the one in progress, the last one, where CMA-ES finds
its state, and as many more as it may need until enough trials of that state did not fail."""

ALL = 10**9  # what a sampler of the user's own sees

LATEST, BEST = 1_000, 25
"""Trials that TPE sees: the latest, and of the older ones the best. The best 25 are all that it ever takes for good; the others
it weighs the less the older they are. See docs/decisions/0007-tpe-sees-the-latest-and-the-best.md."""


@dataclass(frozen=True)
class Taught:
    """The draws and values of the trials of an older study, and what its baseline measured (None:
    it has none).

    Where both studies have a baseline, a sampler is told what was gained over it, so that an older
    study of other data, on which more is right or less, teaches where to look and not how much to
    expect.
    """

    trials: Sequence[tuple[Mapping[str, float], float]] = ()
    baseline: float | None = None


class Shown(InMemoryStorage):
    """Shows its latest trials, and the best of the others. A sampler walks through all that it
    sees, for each trial that it proposes, so without this a trial costs the more the more there
    are.
    """

    def __init__(self, latest: int, best: int, *, maximize: bool) -> None:
        super().__init__()
        self._latest, self._count, self._maximize = latest, best, maximize
        self._open: list[int] = []
        self._closed: list[FrozenTrial] = []
        self._best: list[FrozenTrial] = []

    def create_new_trial(self, study_id: int, template_trial: FrozenTrial | None = None) -> int:
        """One more trial, which is open until `close`."""
        trial_id = super().create_new_trial(study_id, template_trial)
        self._open.append(trial_id)
        return trial_id

    def close(self) -> None:
        """Take in that all trials are finished, and will not change."""
        finished = [self.get_trial(trial_id) for trial_id in self._open]
        complete = [trial for trial in finished if trial.state == TrialState.COMPLETE]
        # Of equal ones the first, as TPE takes them: sorting keeps their order, in reverse too.
        ranked = sorted(
            [*self._best, *complete], key=lambda trial: trial.values, reverse=self._maximize
        )
        self._best = ranked[: self._count]
        self._closed = [*self._closed, *finished][-self._latest :]
        self._open = []

    def get_all_trials(
        self, study_id: int, deepcopy: bool = True, states: Container[TrialState] | None = None
    ) -> list[FrozenTrial]:
        """What is shown, by number; of it the trials in these states."""
        if states == (TrialState.WAITING,):  # quick there: it remembers where to look
            return super().get_all_trials(study_id, deepcopy, states)
        latest = [*self._closed, *map(self.get_trial, self._open)][-self._latest :]
        older = [trial for trial in self._best if trial.number < latest[0].number]
        trials = sorted(older, key=lambda trial: trial.number) + latest
        shown = [trial for trial in trials if states is None or trial.state in states]
        return copy.deepcopy(shown) if deepcopy else shown


class Mirror:
    """A pure function of the sampler, the seed, the trials of a warm start and the finished trials
    of earlier whole generations.

    The trials of `taught` stand before the first generation, and are no part of any. `ask()`
    proposes the next generation, always a whole one; `tell(trials)` closes it with its finished
    trials. A mirror that grew so and one made by `replay` are equal.
    """

    def __init__(
        self,
        kind: SamplerKind,
        space: Space,
        *,
        seed: int,
        size: int,
        maximize: bool,
        taught: Taught | None = None,
    ) -> None:
        self._kind, self._seed, self._size, self._bottom = kind, seed, size, space.bottom
        self.distributions: dict[str, BaseDistribution] = {
            name: FloatDistribution(axis.bottom, axis.high, log=True)
            for name, axis in space.axes.items()
        }
        self.generation = 0
        self._asked: list[int] = []
        # The sampler given here is never asked: each generation brings its own.
        latest = ALL if kind.factory else SEEN * max(size, 8) if kind.remembers else LATEST
        self._shown = Shown(latest, 0 if kind.remembers else BEST, maximize=maximize)
        self._study = create_study(
            storage=self._shown,
            sampler=RandomSampler(0),
            direction="maximize" if maximize else "minimize",
        )
        older = taught or Taught()
        self._older, self._zero = older.baseline, older.baseline or 0.0
        self._taught = [
            create_trial(
                params=dict(draws), distributions=self.distributions, value=value - self._zero
            )
            for draws, value in older.trials
        ]
        self._study.add_trials(self._taught)
        self._shown.close()

    def ask(self) -> list[dict[str, float]]:
        """The draws of the next generation, by axis. Raises InputError where a sampler of the
        user's own fails.
        """
        try:
            return self._ask()
        except Exception as error:
            if self._kind.factory is None:
                raise
            raise InputError(
                f"sampler {self._kind.factory} failed at generation {self.generation}"
                f" ({type(error).__name__}: {error}); correct it: what was recorded is kept"
            ) from error

    def _ask(self) -> list[dict[str, float]]:
        self._study.sampler = self._kind.make(self._seed, self.generation, self._size, self._taught)
        if self.generation == 0:
            self._study.enqueue_trial(self._bottom)
        trials = [self._study.ask(self.distributions) for _ in range(self._size)]
        self._asked = [trial.number for trial in trials]
        return [trial.params for trial in trials]

    def tell(self, trials: Sequence[FrozenTrial]) -> None:
        """Close the generation that was asked for."""
        if self.generation == 0:
            self._find_zero(trials[0])
        for number, trial in zip(self._asked, trials, strict=True):
            self._study.tell(number, self._gain(trial).values, state=trial.state)
        self._asked = []
        self._close()

    def replay(self, trials: Sequence[FrozenTrial]) -> None:
        """Take in the whole generations of an earlier run, in order."""
        if self.generation == 0 and trials:
            self._find_zero(trials[0])
        for start in range(0, len(trials), self._size):
            generation = trials[start : start + self._size]
            if self._kind.remembers:
                self.ask()
                self.tell(generation)
            else:
                self._study.add_trials([self._gain(trial) for trial in generation])
                self._close()

    def _find_zero(self, baseline: FrozenTrial) -> None:
        if self._older is not None and baseline.values:
            self._zero = baseline.values[0]

    def _gain(self, trial: FrozenTrial) -> FrozenTrial:
        """A finished trial with what it gained over the baseline, where that is what the sampler is
        told.
        """
        if self._older is None or not trial.values:
            return trial
        gained = copy.copy(trial)
        gained.values = [trial.values[0] - self._zero]
        return gained

    def _close(self) -> None:
        self._shown.close()
        self.generation += 1
