"""The samplers: who proposes a generation, by name."""

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from optuna.exceptions import ExperimentalWarning
from optuna.samplers import BaseSampler, CmaEsSampler, QMCSampler, RandomSampler, TPESampler
from optuna.trial import FrozenTrial


@dataclass(frozen=True)
class SamplerKind:
    """How to make a sampler of a kind, from (study seed, generation index, generation size, trials
    of a warm start).

    `remembers`: it keeps a state beside the finished trials, in the mirror study. Such a mirror is
    built again by asking for every earlier generation once more (0.5 to 1 ms a trial); the others
    need the finished trials alone. The state is never stored: CMA-ES would store a pickle. With it,
    the latest trials are all that such a sampler looks for.

    `learns`: what it proposes depends on what trials measured. `least`: of a warm start it needs so
    many trials. `factory`: the name of the user's function that makes it, of which nobody knows
    what it looks for.
    """

    make: Callable[[int, int, int, Sequence[FrozenTrial]], BaseSampler]
    remembers: bool = False
    learns: bool = True
    least: int = 1
    factory: str | None = None


def generation_seed(*keys: int) -> int:
    """The seed of a sampler, from (study seed, generation index)."""
    return int(np.random.SeedSequence(keys).generate_state(1)[0])


def _tpe(seed: int, generation: int, size: int, taught: Sequence[FrozenTrial]) -> BaseSampler:
    return TPESampler(seed=generation_seed(seed, generation))


def _random(seed: int, generation: int, size: int, taught: Sequence[FrozenTrial]) -> BaseSampler:
    return RandomSampler(seed=generation_seed(seed, generation))


def _qmc(seed: int, generation: int, size: int, taught: Sequence[FrozenTrial]) -> BaseSampler:
    # One sequence over all generations, so one seed; scrambled, because the first point of a plain
    # one is the baseline.
    with warnings.catch_warnings():
        warnings.simplefilter(
            "ignore", ExperimentalWarning
        )  # said of every QMCSampler since optuna 3.0
        return QMCSampler(
            seed=generation_seed(seed), scramble=True, warn_independent_sampling=False
        )


def _cmaes(seed: int, generation: int, size: int, taught: Sequence[FrozenTrial]) -> BaseSampler:
    # A population as large as the generation uses all of it; optuna's own for four axes is 8.
    with warnings.catch_warnings():
        warnings.simplefilter(
            "ignore", ExperimentalWarning
        )  # said of source_trials since optuna 2.6
        return CmaEsSampler(
            seed=generation_seed(seed, generation),
            popsize=max(size, 8),
            warn_independent_sampling=False,
            source_trials=list(taught)
            or None,  # its first distribution: Nomura et al., https://arxiv.org/abs/2012.06932
        )


KINDS = {
    "tpe": SamplerKind(_tpe),
    "random": SamplerKind(_random, learns=False),
    "qmc": SamplerKind(_qmc, remembers=True, learns=False),
    "cmaes": SamplerKind(_cmaes, remembers=True, least=10),  # it begins with the best tenth
}
