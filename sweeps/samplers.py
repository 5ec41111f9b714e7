"""The samplers: who proposes a generation, by name."""

import warnings
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from optuna.exceptions import ExperimentalWarning
from optuna.samplers import BaseSampler, CmaEsSampler, QMCSampler, RandomSampler, TPESampler


@dataclass(frozen=True)
class SamplerKind:
    """How to make a sampler of a kind, from (study seed, generation index, generation size).

    `remembers`: it keeps a state beside the finished trials, in the mirror study. Such a mirror is built again by asking
    for every earlier generation once more (0.5 to 1 ms a trial); the others need the finished trials alone. The state is
    never stored: CMA-ES would store a pickle. With it, the latest trials are all that such a sampler looks for.
    """

    make: Callable[[int, int, int], BaseSampler]
    remembers: bool = False


def _seed(*keys: int) -> int:
    return int(np.random.SeedSequence(keys).generate_state(1)[0])


def _tpe(seed: int, generation: int, size: int) -> BaseSampler:
    return TPESampler(seed=_seed(seed, generation))


def _random(seed: int, generation: int, size: int) -> BaseSampler:
    return RandomSampler(seed=_seed(seed, generation))


def _qmc(seed: int, generation: int, size: int) -> BaseSampler:
    # One sequence over all generations, so one seed; scrambled, because the first point of a plain one is the baseline.
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ExperimentalWarning)  # said of every QMCSampler since optuna 3.0
        return QMCSampler(seed=_seed(seed), scramble=True, warn_independent_sampling=False)


def _cmaes(seed: int, generation: int, size: int) -> BaseSampler:
    # A population as large as the generation uses all of it; optuna's own for four axes is 8.
    return CmaEsSampler(seed=_seed(seed, generation), popsize=max(size, 8), warn_independent_sampling=False)


KINDS = {
    "tpe": SamplerKind(_tpe),
    "random": SamplerKind(_random),
    "qmc": SamplerKind(_qmc, remembers=True),
    "cmaes": SamplerKind(_cmaes, remembers=True),
}
