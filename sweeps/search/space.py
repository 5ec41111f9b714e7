"""The search space: each lambda on one log axis whose low end means off, and the learning rate."""

from collections.abc import Mapping

from optuna.distributions import BaseDistribution, FloatDistribution

from experiments.evaluation import Setting
from experiments.section import Range
from experiments.spec import Experiment
from nnreg import Lambdas

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
