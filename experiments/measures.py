"""The measures: how the values and the differences of an objective read in a sentence."""

from dataclasses import dataclass, replace

from experiments.evaluation import PARAMETER, Number
from experiments.verdict import SAME, Comparison
from nnreg.losses import WORST_LOSS


@dataclass(frozen=True)
class Measure:
    """How values and differences of an objective read: always new minus baseline.

    `name` is the metric, `sign` is -1 where less of it is better, and `most` is the largest
    difference there can be.
    """

    name: str
    unit: str
    scale: float
    sign: int
    digits: int
    most: float

    def size(self, value: float) -> str:
        """For example `2.3 percentage points`."""
        return f"{self._number(abs(value))}{self.unit}"

    def difference(self, gain: float) -> str:
        """For example `+2.3 percentage points`, of a gain (positive is better)."""
        return f"{self._signed(gain)}{self.unit}"

    def change(self, difference: float) -> str:
        """For example `+2.3`, of a value minus another one."""
        return self._signed(self.sign * difference)

    def claimed(self, comparison: Comparison, *, unit: bool = True, turned: bool = False) -> str:
        """For example `+2.3 percentage points (97.5 % CI 0.6 to 4.0)`, the recommended setting
        minus the other; `turned` is the reverse.
        """
        gain = comparison.narrow if comparison.word == SAME else comparison.gain
        one = gain.turned() if turned else gain
        low, high = sorted((self.sign * one.low, self.sign * one.high))
        return (
            f"{self._signed(one.mean)}{self.unit if unit else ''} ({one.level * 100:.4g} % CI"
            f" {self._number(low)} to {self._number(high)})"
        )

    def value(self, value: float) -> str:
        """For example `97.3 %`, or `0.1234` of a loss."""
        return percent(value) if self.unit else f"{value:.4f}"

    def _signed(self, gain: float) -> str:
        number = self._number(self.sign * gain)
        return number if number.startswith("-") or not float(number) else f"+{number}"

    def _number(self, value: float) -> str:
        return f"{round(value * self.scale, self.digits) + 0.0:.{self.digits}f}"


ACCURACY = Measure(
    name="accuracy", unit=" percentage points", scale=100, sign=1, digits=1, most=100
)
MEASURES = {
    "val_accuracy": ACCURACY,
    "balanced_val_accuracy": replace(ACCURACY, name="balanced accuracy"),
    "val_data_loss": Measure(name="loss", unit="", scale=1, sign=-1, digits=4, most=WORST_LOSS),
}


def strength(value: float) -> str:
    """For example `0.00031`, or `off`."""
    return f"{value:.2g}" if value > 0 else "off"


def tuned(name: str, value: Number) -> str:
    """Do the same for a column of a setting, of which the parameters are never off."""
    return parameter(value) if name.startswith(PARAMETER) else strength(value)


def parameter(value: Number) -> str:
    """For example `0.25`, or `1024`."""
    return str(value) if isinstance(value, int) else f"{value:.3g}"


def percent(value: float, digits: int = 1) -> str:
    """For example `97.3 %`."""
    return f"{value * 100:.{digits}f} %"
