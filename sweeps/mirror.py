"""The mirror: an in-memory Optuna study that holds whole generations alone, and proposes the next one."""

import copy
from collections.abc import Container, Sequence

import optuna
from optuna.distributions import BaseDistribution, FloatDistribution
from optuna.samplers import RandomSampler
from optuna.storages import InMemoryStorage
from optuna.trial import FrozenTrial, TrialState

from sweeps.samplers import SamplerKind
from sweeps.space import Space

SEEN = 4
"""Generations (of 8 trials or more) that a sampler sees which remembers: the one in progress, the last one, where CMA-ES finds
its state, and as many more as it may need until enough trials of that state did not fail."""


class Recent(InMemoryStorage):
    """Shows its last trials alone. A sampler walks through all that it is shown, for every trial that it proposes."""

    def __init__(self, trials: int) -> None:
        super().__init__()
        self._shown = trials

    def get_all_trials(
        self, study_id: int, deepcopy: bool = True, states: Container[TrialState] | None = None
    ) -> list[FrozenTrial]:
        """The last trials; of them those in these states."""
        if states == (TrialState.WAITING,):  # quick there: it remembers where to look
            return super().get_all_trials(study_id, deepcopy, states)
        trials = super().get_all_trials(study_id, deepcopy=False)[-self._shown :]
        shown = [trial for trial in trials if states is None or trial.state in states]
        return copy.deepcopy(shown) if deepcopy else shown


class Mirror:
    """A pure function of the sampler, the seed and the finished trials of earlier whole generations.

    `ask()` proposes the next generation, always a whole one; `tell(trials)` closes it with its finished trials. A mirror that
    grew so and one made by `replay` are equal.
    """

    def __init__(self, kind: SamplerKind, space: Space, *, seed: int, size: int, maximize: bool) -> None:
        self._kind, self._seed, self._size, self._bottom = kind, seed, size, space.bottom
        self.distributions: dict[str, BaseDistribution] = {
            name: FloatDistribution(axis.bottom, axis.high, log=True) for name, axis in space.axes.items()
        }
        self.generation = 0
        self._asked: list[int] = []
        # The sampler given here is never asked: each generation brings its own.
        storage = Recent(SEEN * max(size, 8)) if kind.remembers else InMemoryStorage()
        self._study = optuna.create_study(
            storage=storage, sampler=RandomSampler(0), direction="maximize" if maximize else "minimize"
        )

    def ask(self) -> list[dict[str, float]]:
        """The draws of the next generation, by axis."""
        self._study.sampler = self._kind.make(self._seed, self.generation, self._size)
        if self.generation == 0:
            self._study.enqueue_trial(self._bottom)
        trials = [self._study.ask(self.distributions) for _ in range(self._size)]
        self._asked = [trial.number for trial in trials]
        return [trial.params for trial in trials]

    def tell(self, trials: Sequence[FrozenTrial]) -> None:
        """Close the generation that was asked for."""
        for number, trial in zip(self._asked, trials, strict=True):
            self._study.tell(number, trial.values, state=trial.state)
        self._asked = []
        self.generation += 1

    def replay(self, trials: Sequence[FrozenTrial]) -> None:
        """Take in the whole generations of an earlier run, in order."""
        for start in range(0, len(trials), self._size):
            generation = trials[start : start + self._size]
            if self._kind.remembers:
                self.ask()
                self.tell(generation)
            else:
                self._study.add_trials(generation)
                self.generation += 1
