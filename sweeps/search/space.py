"""The search space: each lambda on one log axis whose low end means off."""

from collections.abc import Mapping

from optuna.distributions import BaseDistribution, FloatDistribution

from experiments.section import Range
from experiments.spec import Experiment
from nnreg import Lambdas


class Space:
    """The four lambdas of an experiment: ranges are searched, numbers are fixed.

    An axis begins `off_decades` below its range; a draw below the range counts as exactly 0.
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
        self.distributions: dict[str, BaseDistribution] = {**self.axes}

    @property
    def bottom(self) -> dict[str, float]:
        """The draw of the baseline: the bottom of every axis."""
        return {name: axis.low for name, axis in self.axes.items()}

    def lambdas(self, draws: Mapping[str, float]) -> Lambdas:
        """The effective lambdas of a draw."""
        effective = {
            name: draws[name] if draws[name] >= low else 0.0 for name, low in self._lows.items()
        }
        return Lambdas(**self._fixed, **effective)
