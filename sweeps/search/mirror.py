"""The mirror: an in-memory Optuna study of whole generations, which proposes the next one."""

from collections.abc import Sequence

import optuna
from optuna.samplers import RandomSampler
from optuna.trial import FrozenTrial, TrialState

from experiments.errors import InputError
from sweeps.search.search import Search
from sweeps.storage.storage import create_study

# A sampler such as TPE walks through all trials for each one that it proposes. So of this many it
# forgets all but the latest half, and the best of the others: TPE never uses more than 25 as good
# ones. See docs/decisions/0007-tpe-sees-the-latest-and-the-best.md.
MOST, BEST = 1_500, 25


class Mirror:
    """A pure function of the sampler, the seed and the finished trials of earlier whole
    generations.

    `ask()` proposes the next generation, always a whole one; `tell(trials)` closes it with its
    finished trials. A mirror that grew this way equals one made by `replay`.
    """

    def __init__(self, search: Search) -> None:
        sweep, self._kind, self._space = search.experiment.sweep, search.kind, search.space
        self._seed, self._size = sweep.seed, sweep.generation
        self._first = search.experiment.first_generation
        self._tuned = bool(search.experiment.nuisances)
        self.generation = 0
        self._asked: list[optuna.Trial] = []
        self._direction = search.experiment.direction
        self.study = self._new_study()

    @property
    def size(self) -> int:
        """How many trials the next generation has."""
        return self._first if self.generation == 0 else self._size

    @property
    def _is_baseline(self) -> bool:
        """Whether the next generation is the baseline arm, which the sampler never sees: it would
        take what is off in all trials for good.
        """
        return self.generation == 0 and self._tuned

    def ask(self) -> list[dict[str, float]]:
        """Return the draws of the next generation. Raises InputError if a user's sampler fails."""
        if self._is_baseline:
            return self._space.baseline(self._first)
        try:
            self.study.sampler = self._kind.make(self._seed, self.generation, self._size)
            if self.generation == 0:
                self.study.enqueue_trial(self._space.bottom)
            trials = [self.study.ask(self._space.distributions) for _ in range(self._size)]
        except Exception as error:
            if self._kind.function is None:
                raise
            raise InputError(
                f"sampler {self._kind.function} failed at generation {self.generation}"
                f" ({type(error).__name__}: {error}); correct it: what was recorded is kept"
            ) from error
        self._asked = trials
        return [trial.params for trial in trials]

    def tell(self, trials: Sequence[FrozenTrial]) -> None:
        """Close the generation that was asked for."""
        if not self._is_baseline:
            for asked, trial in zip(self._asked, trials, strict=True):
                if trial.state == TrialState.PRUNED:  # what TPE compares it by
                    for epoch, value in trial.intermediate_values.items():
                        asked.report(value, epoch)
                self.study.tell(asked, trial.values, state=trial.state)
        self._close()

    def replay(self, trials: Sequence[FrozenTrial]) -> None:
        """Take in the whole generations of an earlier run, in order."""
        while trials:
            generation, trials = trials[: self.size], trials[self.size :]
            if self._kind.remembers or self._is_baseline:
                self.ask()
                self.tell(generation)
            else:
                self.study.add_trials(generation)
                self._close()

    def _close(self) -> None:
        self.generation += 1
        trials = self.study.get_trials(deepcopy=False)
        if self._kind.all_trials or len(trials) < MOST:
            return
        older, latest = trials[: -(MOST // 2)], trials[-(MOST // 2) :]
        complete = [trial for trial in older if trial.state == TrialState.COMPLETE]
        # The first of equal trials, as TPE takes them: sorting keeps their order, in reverse too.
        complete.sort(key=lambda trial: trial.values, reverse=self._direction == "maximize")
        self.study = self._new_study()
        self.study.add_trials([*sorted(complete[:BEST], key=lambda trial: trial.number), *latest])

    def _new_study(self) -> optuna.Study:
        # Its sampler is never asked: each generation brings its own.
        return create_study(sampler=RandomSampler(0), direction=self._direction)
