"""The mirror: an in-memory Optuna study that holds whole generations alone, and proposes the next one."""

from collections.abc import Sequence

import optuna
from optuna.distributions import BaseDistribution, FloatDistribution
from optuna.samplers import RandomSampler
from optuna.storages import InMemoryStorage
from optuna.trial import FrozenTrial

from sweeps.samplers import SamplerKind
from sweeps.space import Space


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
        self._study = optuna.create_study(
            storage=InMemoryStorage(), sampler=RandomSampler(0), direction="maximize" if maximize else "minimize"
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
