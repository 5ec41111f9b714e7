"""The search: an experiment, the space of its settings, and the sampler that proposes its trials.

Each lambda is on one log axis whose low end means off. The nuisances, the learning rate and the
parameters of a user's own network, have no off.
"""

import functools
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from optuna.distributions import BaseDistribution, FloatDistribution, IntDistribution

from experiments.errors import InputError
from experiments.evaluation import Setting, parameters_of
from experiments.search_section import is_function
from experiments.section import ParameterRange, Range
from experiments.spec import DIGEST, Experiment
from nnreg import Lambdas
from sweeps.search.samplers import KINDS, SamplerKind

RATE = "learning_rate"
CODE = "model.code"  # of the identity: the digest of a user's own network


class Space:
    """The settings of an experiment: ranges are searched, numbers are fixed.

    The axis of a lambda begins `off_decades` below its range; a draw below the range counts as
    exactly 0. `bottom` is the draw of the lambdas that switches all of them off.
    """

    def __init__(self, experiment: Experiment) -> None:
        lambdas, off = experiment.lambdas, 10**-experiment.sweep.off_decades
        self._lows = {name: span.low for name, span in lambdas.searched.items()}
        self._fixed = {
            name: value for name, value in lambdas.axes.items() if not isinstance(value, Range)
        }
        lows = {name: span.low * off for name, span in lambdas.searched.items()}
        self.bottom = lows
        self._rate, self._nuisances = experiment.training.learning_rate, experiment.nuisances
        self.distributions: dict[str, BaseDistribution] = {
            name: FloatDistribution(lows[name], span.high, log=True)
            for name, span in lambdas.searched.items()
        } | {name: _distribution(span) for name, span in self._nuisances.items()}

    def baseline(self, trials: int) -> list[dict[str, float]]:
        """The draws of a baseline arm that is tuned: all lambdas off, the nuisances spread over
        their axes. The first has even steps; the others follow the additive recurrence of the
        generalised golden ratio (M. Roberts, The unreasonable effectiveness of quasirandom
        sequences, 2018), which with those steps leaves no large hole.
        """
        others, ratio = len(self._nuisances) - 1, 2.0
        for _ in range(60):  # it converges to the root of ratio^(others + 1) = ratio + 1
            ratio = (1 + ratio) ** (1 / (others + 1))
        steps = [ratio**-power for power in range(1, others + 1)]
        draws = []
        for trial in range(trials):
            shares = [(trial + 0.5) / trials, *((0.5 + trial * step) % 1 for step in steps)]
            spans = zip(self._nuisances.items(), shares, strict=True)
            draws.append(self.bottom | {name: span.at(share) for (name, span), share in spans})
        return draws

    def setting(self, draws: Mapping[str, float]) -> Setting:
        """The effective setting of a draw."""
        rate = self._rate if isinstance(self._rate, float) else draws[RATE]
        own = {name: draws[name] for name in self._nuisances if name != RATE}
        return Setting(self.lambdas(draws), rate, parameters_of(own))

    def lambdas(self, draws: Mapping[str, float]) -> Lambdas:
        """The effective lambdas of a draw."""
        effective = {
            name: draws[name] if draws[name] >= low else 0.0 for name, low in self._lows.items()
        }
        return Lambdas(**self._fixed, **effective)


def _distribution(span: Range | ParameterRange) -> BaseDistribution:
    if isinstance(span, Range):
        return FloatDistribution(span.low, span.high, log=True)
    if span.whole:
        return IntDistribution(int(span.low), int(span.high), log=span.log)
    return FloatDistribution(span.low, span.high, log=span.log)


@dataclass(frozen=True)
class Search:
    """An experiment with a sampler of the user's own, which its file cannot hold."""

    experiment: Experiment
    own: SamplerKind | None = None

    @functools.cached_property
    def space(self) -> Space:
        """The lambdas that are searched, on their axes."""
        return Space(self.experiment)

    @property
    def kind(self) -> SamplerKind:
        """The sampler. Raises InputError if it is the user's own and was not given."""
        name = self.experiment.sweep.sampler
        if self.own is None and name not in KINDS:
            raise InputError(
                f"sweep.sampler is {name!r}, a function of Python, and is given from Python:"
                f" sweeps.run(..., sampler=FUNCTION); or write one of {', '.join(KINDS)}"
            )
        return self.own or KINDS[name]

    def changes(self, born: Mapping[str, Any], rows: Mapping[str, int]) -> str:
        """Return what differs from what a study was born with, and what to do. `rows` are counted
        by part.
        """
        old, new = born["identity"], self.experiment.identity
        keys = sorted(key for key in {*old, *new} if old.get(key) != new.get(key))
        files = {f"data.{key}": path for key, path in self.experiment.data.files.items()}
        before, now = (
            " + ".join(f"{number:,} {part}" for part, number in one.items() if number)
            for one in (born["data"].get("rows", {}), rows)
        )

        def change(key: str) -> str:
            if key in files and str(old.get(key)).startswith(DIGEST):
                name, why = str(files[key]), f" (rows then: {before}; now: {now})"
            elif key == CODE and key in old and key in new:
                name, why = new["model.source"], " (or a module that it imports)"
            else:
                return f"{key}: {json.dumps(old.get(key))} -> {json.dumps(new.get(key))}"
            return f"{name} is not as the study began with it{why}"

        changed = ", ".join(map(change, keys))
        remedy = "undo the change"
        if "sweep.sampler" in keys and is_function(old["sweep.sampler"]):
            function = old["sweep.sampler"].partition(":")[2]
            remedy = (
                "go on from Python with the function it was begun with, sweeps.run(...,"
                f" sampler={function})"
            )
        return f"{changed}; {remedy}, or start another study with --study NAME"
