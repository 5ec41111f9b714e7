"""The factory: a function of the user's own that makes Optuna samplers, as a kind of sampler like
the others.
"""

import functools
from collections.abc import Callable, Sequence
from typing import Protocol

from optuna.samplers import BaseSampler
from optuna.trial import FrozenTrial, TrialState, create_trial

from experiments.errors import InputError
from experiments.spec import SAMPLERS, Experiment
from sweeps.search.mirror import Mirror
from sweeps.search.samplers import SamplerKind, generation_seed
from sweeps.search.search import Search
from sweeps.search.space import Space

EXAMPLE = "write for example sampler=lambda seed: optuna.samplers.NSGAIISampler(seed=seed)"
TRIED = 4  # trials a generation, where it is tried whether a sampler takes its seed


class Factory(Protocol):
    """Makes a sampler from a seed (of 32 bits), which is given by name: a new one for each
    generation, and equal ones for equal seeds. The class of a sampler is one.
    """

    def __call__(self, *, seed: int) -> BaseSampler: ...


def name_of(factory: Callable[..., object]) -> str:
    """`module:qualname`, as in an entry point: what a factory is known by on a study."""
    function = factory
    while isinstance(function, functools.partial):
        function = function.func
    named = function if hasattr(function, "__qualname__") else type(function)
    return f"{named.__module__}:{named.__qualname__}"


def _checked(sampler: object) -> Factory:
    """What was given as a factory, if it can be one. Raises InputError."""
    if isinstance(sampler, BaseSampler):
        raise InputError(
            f"sampler is a {type(sampler).__name__}, and each generation needs a new one, with its"
            f" own seed; give the function that makes it: {EXAMPLE}"
        )
    if not callable(sampler):
        raise InputError(
            f"sampler is {sampler!r}; it must be one of {', '.join(SAMPLERS)}, or a function that"
            f" makes a sampler from a seed: {EXAMPLE}"
        )
    return sampler


def searched(experiment: Experiment, sampler: object) -> Search:
    """The search of an experiment whose samplers are made by a function of the user's own.

    Raises InputError where it is none, or its samplers are not made from their seeds.
    """
    factory = _checked(sampler)
    made = _kind_of(factory)
    _try(
        made,
        Space.of(experiment.lambdas, experiment.sweep.off_decades),
        maximize=experiment.maximize,
    )
    named = experiment.sweep.model_copy(update={"sampler": made.factory})
    return Search(experiment.model_copy(update={"sweep": named}), made)


def _kind_of(factory: Factory) -> SamplerKind:
    name = name_of(factory)

    def make(seed: int, generation: int, size: int, taught: Sequence[FrozenTrial]) -> BaseSampler:
        sampler = factory(seed=generation_seed(seed, generation))
        if not isinstance(sampler, BaseSampler):
            raise TypeError(f"it returned {sampler!r}, which is no optuna.samplers.BaseSampler")
        return sampler

    # It may keep a state with the trials and the study, so it is replayed, and it may look at any
    # of the trials.
    return SamplerKind(make, remembers=True, factory=name)


def _try(made: SamplerKind, space: Space, *, maximize: bool) -> None:
    """Raise InputError where two samplers of one seed propose different trials, or those of two
    seeds the same.
    """
    if not space.axes:
        return
    one, other = (Mirror(made, space, seed=0, size=TRIED, maximize=maximize) for _ in range(2))
    first = one.ask()
    if first != other.ask():
        raise InputError(
            f"sampler {made.factory} proposes other trials for the same seed, so its study could"
            f" not go on after an interruption; hand the seed on: {EXAMPLE}"
        )
    one.tell(
        [
            create_trial(state=TrialState.FAIL, params=draws, distributions=one.distributions)
            for draws in first
        ]
    )
    repeated = [draws for draws in one.ask() if draws in first]
    if len(repeated) > TRIED // 2:
        raise InputError(
            f"sampler {made.factory} proposes the same trials for every seed, so each generation"
            f" would repeat the one before; hand the seed on: {EXAMPLE}"
        )
