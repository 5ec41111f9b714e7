"""The samplers: who proposes a generation, by name."""

import warnings
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from optuna.exceptions import ExperimentalWarning
from optuna.samplers import BaseSampler, CmaEsSampler, QMCSampler, RandomSampler, TPESampler


@dataclass(frozen=True)
class SamplerKind:
    """How to make a sampler from (study seed, generation index, generation size).

    A kind that `remembers` keeps a state beside the finished trials, in the mirror study. The state
    is not stored, because CMA-ES would store a pickle: a new mirror asks again for each earlier
    generation (0.5 to 1 ms per trial). One that needs `all_trials` is not to forget old ones.
    `function` is the name of the user's function that makes the sampler.
    """

    make: Callable[[int, int, int], BaseSampler]
    remembers: bool = False
    all_trials: bool = False
    function: str | None = None


def generation_seed(*keys: int) -> int:
    """Return the seed of a sampler, from (study seed, generation index)."""
    return int(np.random.SeedSequence(keys).generate_state(1)[0])


def _tpe(seed: int, generation: int, size: int) -> BaseSampler:
    return TPESampler(seed=generation_seed(seed, generation))


def _random(seed: int, generation: int, size: int) -> BaseSampler:
    return RandomSampler(seed=generation_seed(seed, generation))


def _qmc(seed: int, generation: int, size: int) -> BaseSampler:
    # All generations share one sequence, so one seed. It is scrambled, because the first point of
    # the plain sequence is the baseline.
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ExperimentalWarning)  # each QMCSampler warns
        return QMCSampler(
            seed=generation_seed(seed), scramble=True, warn_independent_sampling=False
        )


def _cmaes(seed: int, generation: int, size: int) -> BaseSampler:
    # A population as large as the generation uses all of it; Optuna's own for four axes is 8.
    return CmaEsSampler(
        seed=generation_seed(seed, generation),
        popsize=max(size, 8),
        warn_independent_sampling=False,
    )


KINDS = {
    "tpe": SamplerKind(_tpe),
    "random": SamplerKind(_random),
    "qmc": SamplerKind(_qmc, remembers=True, all_trials=True),  # its state is on the study
    "cmaes": SamplerKind(_cmaes, remembers=True),
}
