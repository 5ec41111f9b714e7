"""The mirror: an in-memory Optuna study of whole generations, which proposes the next one."""

import copy
from collections.abc import Container, Sequence

from optuna.samplers import RandomSampler
from optuna.storages import InMemoryStorage
from optuna.trial import FrozenTrial, TrialState

from experiments.errors import InputError
from sweeps.search.search import Search
from sweeps.storage.storage import create_study

# Generations of at least 8 trials that a sampler with a state sees: the one in progress, the last
# one, where CMA-ES finds its state, and two more in case many of its trials failed.
SEEN = 4

ALL = 10**9  # trials that a user's own sampler sees

# Trials that TPE sees: the latest, and the best of the older ones. It never uses more than 25 as
# good ones. See docs/decisions/0007-tpe-sees-the-latest-and-the-best.md.
LATEST, BEST = 1_000, 25


class TruncatedStorage(InMemoryStorage):
    """Shows its latest trials, and the best of the others.

    A sampler walks through all trials that it sees for each one that it proposes, so without this a
    trial would cost more the more there are.
    """

    def __init__(self, latest: int, best: int, *, maximize: bool) -> None:
        super().__init__()
        self._latest, self._count, self._maximize = latest, best, maximize
        self._open: list[int] = []
        self._closed: list[FrozenTrial] = []
        self._best: list[FrozenTrial] = []

    def create_new_trial(self, study_id: int, template_trial: FrozenTrial | None = None) -> int:
        """Add a trial, which is open until `close`."""
        trial_id = super().create_new_trial(study_id, template_trial)
        self._open.append(trial_id)
        return trial_id

    def close(self) -> None:
        """Note that all trials are finished and will not change."""
        finished = [self.get_trial(trial_id) for trial_id in self._open]
        complete = [trial for trial in finished if trial.state == TrialState.COMPLETE]
        # The first of equal trials, as TPE takes them: sorting keeps their order, in reverse too.
        ranked = sorted(
            [*self._best, *complete], key=lambda trial: trial.values, reverse=self._maximize
        )
        self._best = ranked[: self._count]
        self._closed = [*self._closed, *finished][-self._latest :]
        self._open = []

    def get_all_trials(
        self, study_id: int, deepcopy: bool = True, states: Container[TrialState] | None = None
    ) -> list[FrozenTrial]:
        """Return the shown trials in these states, by number."""
        if states == (TrialState.WAITING,):  # fast there: it remembers where to look
            return super().get_all_trials(study_id, deepcopy, states)
        latest = [*self._closed, *map(self.get_trial, self._open)][-self._latest :]
        older = [trial for trial in self._best if trial.number < latest[0].number]
        trials = sorted(older, key=lambda trial: trial.number) + latest
        shown = [trial for trial in trials if states is None or trial.state in states]
        return copy.deepcopy(shown) if deepcopy else shown


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
        self._tuned = search.experiment.rates is not None
        self.generation = 0
        self._asked: list[int] = []
        remembers = self._kind.remembers
        latest = ALL if self._kind.function else SEEN * max(self._size, 8) if remembers else LATEST
        direction = search.experiment.direction
        self._storage = TruncatedStorage(
            latest, 0 if remembers else BEST, maximize=direction == "maximize"
        )
        # Its sampler is never asked: each generation brings its own.
        self.study = create_study(
            storage=self._storage, sampler=RandomSampler(0), direction=direction
        )

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
        self._asked = [trial.number for trial in trials]
        return [trial.params for trial in trials]

    def tell(self, trials: Sequence[FrozenTrial]) -> None:
        """Close the generation that was asked for."""
        if not self._is_baseline:
            for number, trial in zip(self._asked, trials, strict=True):
                self.study.tell(number, trial.values, state=trial.state)
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
        self._storage.close()
        self.generation += 1
