"""The search: an experiment, the space of its settings, and the sampler that proposes its trials.

Each lambda is on one log axis whose low end means off, and so is the learning rate, without an off.
"""

import functools
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from optuna.distributions import BaseDistribution, FloatDistribution

from experiments.errors import InputError
from experiments.evaluation import Setting
from experiments.section import Range
from experiments.spec import DIGEST, Experiment, is_function
from nnreg import Lambdas
from sweeps.search.samplers import KINDS, SamplerKind

RATE = "learning_rate"


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
        self.axes = {
            name: FloatDistribution(span.low * off, span.high, log=True)
            for name, span in lambdas.searched.items()
        }
        self.bottom = {name: axis.low for name, axis in self.axes.items()}
        self._rate, self._rates = experiment.training.learning_rate, experiment.rates
        if self._rates:
            self.axes[RATE] = FloatDistribution(self._rates.low, self._rates.high, log=True)
        self.distributions: dict[str, BaseDistribution] = {**self.axes}

    def baseline(self, trials: int) -> list[dict[str, float]]:
        """The draws of a baseline arm that is tuned: all lambdas off, learning rates spread over
        their axis.
        """
        rates = self._rates
        assert rates is not None
        shares = ((trial + 0.5) / trials for trial in range(trials))
        return [
            {**self.bottom, RATE: rates.low * (rates.high / rates.low) ** share} for share in shares
        ]

    def setting(self, draws: Mapping[str, float]) -> Setting:
        """The effective setting of a draw."""
        rate = self._rate if isinstance(self._rate, float) else draws[RATE]
        return Setting(self.lambdas(draws), rate)

    def lambdas(self, draws: Mapping[str, float]) -> Lambdas:
        """The effective lambdas of a draw."""
        effective = {
            name: draws[name] if draws[name] >= low else 0.0 for name, low in self._lows.items()
        }
        return Lambdas(**self._fixed, **effective)


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
            " + ".join(f"{number:,} {part}" for part, number in one.items())
            for one in (born["data"].get("rows", {}), rows)
        )
        changed = ", ".join(
            f"{files[key]} is not as the study began with it (rows then: {before}; now: {now})"
            if key in files and str(old.get(key)).startswith(DIGEST)
            else f"{key}: {json.dumps(old.get(key))} -> {json.dumps(new.get(key))}"
            for key in keys
        )
        remedy = "undo the change"
        if "sweep.sampler" in keys and is_function(old["sweep.sampler"]):
            function = old["sweep.sampler"].partition(":")[2]
            remedy = (
                "go on from Python with the function it was begun with, sweeps.run(...,"
                f" sampler={function})"
            )
        return f"{changed}; {remedy}, or start another study with --study NAME"
