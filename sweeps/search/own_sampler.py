"""A sampler of the user's own: a function that makes Optuna samplers, as one more kind."""

import functools
from collections.abc import Callable
from typing import Protocol

from optuna.samplers import BaseSampler
from optuna.trial import TrialState, create_trial

from experiments.errors import InputError
from experiments.search_section import SAMPLERS
from experiments.spec import Experiment
from sweeps.search.mirror import Mirror
from sweeps.search.samplers import SamplerKind, generation_seed
from sweeps.search.search import Search

EXAMPLE = "write for example sampler=lambda seed: optuna.samplers.NSGAIISampler(seed=seed)"
TRIED = 4  # trials per generation when a sampler is tried


class Factory(Protocol):
    """Makes a sampler from a seed of 32 bits, given by name, such as the class of a sampler.

    It is called for each generation, and must make equal samplers from equal seeds.
    """

    def __call__(self, *, seed: int) -> BaseSampler: ...


def name_of(factory: Callable[..., object]) -> str:
    """Return `module:qualname`, as in an entry point: the name that a study keeps."""
    function = factory
    while isinstance(function, functools.partial):
        function = function.func
    named = function if hasattr(function, "__qualname__") else type(function)
    return f"{named.__module__}:{named.__qualname__}"


def searched(experiment: Experiment, factory: Factory) -> Search:
    """Return the search of an experiment with the samplers that a user's function makes.

    Raises InputError if it is no such function, or its samplers do not depend on their seeds.
    """
    if isinstance(factory, BaseSampler):
        raise InputError(
            f"sampler is a {type(factory).__name__}, and each generation needs a new one, with its"
            f" own seed; give the function that makes it: {EXAMPLE}"
        )
    if not callable(factory):
        raise InputError(
            f"sampler is {factory!r}; it must be one of {', '.join(SAMPLERS)}, or a function that"
            f" makes a sampler from a seed: {EXAMPLE}"
        )
    name = name_of(factory)

    def make(seed: int, generation: int, size: int) -> BaseSampler:
        sampler = factory(seed=generation_seed(seed, generation))
        if not isinstance(sampler, BaseSampler):
            raise TypeError(f"it returned {sampler!r}, which is not an optuna.samplers.BaseSampler")
        return sampler

    named = experiment.sweep.model_copy(update={"sampler": name})
    search = Search(
        experiment.model_copy(update={"sweep": named}),
        SamplerKind(make, remembers=True, all_trials=True, function=name),
    )
    if search.space.distributions:
        _try(search)
    return search


def _try(search: Search) -> None:
    """Raise InputError unless a seed, and only the seed, decides what a sampler proposes."""
    few = search.experiment.sweep.model_copy(update={"generation": TRIED})
    experiment = search.experiment.model_copy(update={"sweep": few})
    tried = Search(experiment, search.own)
    one, other = Mirror(tried), Mirror(tried)
    if experiment.nuisances:  # the baseline arm, which no sampler proposes
        for mirror in one, other:
            mirror.tell([])
    first, name = one.ask(), few.sampler
    if first != other.ask():
        raise InputError(
            f"sampler {name} proposes other trials for the same seed, so its study could not go on"
            f" after an interruption; hand the seed on: {EXAMPLE}"
        )
    fail, axes = TrialState.FAIL, search.space.distributions
    one.tell([create_trial(state=fail, params=draws, distributions=axes) for draws in first])
    repeated = [draws for draws in one.ask() if draws in first]
    if len(repeated) > TRIED // 2:
        raise InputError(
            f"sampler {name} proposes the same trials for every seed, so each generation would"
            f" repeat the one before; hand the seed on: {EXAMPLE}"
        )
