"""The measures: how the values and the differences of an objective read in a sentence."""

from dataclasses import dataclass, replace

from experiments.verdict import SAME, Comparison
from nnreg.losses import WORST_LOSS


@dataclass(frozen=True)
class Measure:
    """How values and differences of an objective read. `name` is the metric, `sign` is -1 where
    less of it is better, and `most` is the largest difference there can be.
    """

    name: str
    unit: str
    scale: float
    sign: int
    digits: int
    more: str
    less: str
    most: float

    def size(self, value: float) -> str:
        """For example `2.3 percentage points`."""
        return f"{self._number(abs(value))}{self.unit}"

    def compared(self, value: float) -> str:
        """For example `2.3 percentage points more accurate`."""
        return f"{self.size(value)} {self.more if value >= 0 else self.less}"

    def claimed(self, comparison: Comparison, *, turned: bool = False) -> str:
        """For example `2.3 percentage points more accurate (97.5 % CI 0.6 to 4.0)`, of the
        recommended setting against the other; `turned` is the reverse.
        """
        gain = comparison.gain.turned() if turned else comparison.gain
        one = gain if gain.mean >= 0 else gain.turned()
        return f"{self.compared(gain.mean)} {self._interval(one.low, one.high, one.level)}"

    def changed(self, comparison: Comparison, *, turned: bool = False) -> str:
        """For example `-0.2 percentage points (90 % CI -0.7 to 0.3)`, the recommended setting minus
        the other, also of a loss; `turned` is the reverse.
        """
        gain = comparison.narrow if comparison.word == SAME else comparison.gain
        one = gain if turned == (self.sign < 0) else gain.turned()
        sign = "+" if one.mean > 0 else ""
        change = f"{sign}{self._number(one.mean)}{self.unit}"
        return f"{change} {self._interval(one.low, one.high, one.level)}"

    def value(self, value: float) -> str:
        """For example `97.3 %`, or `0.1234` of a loss."""
        return percent(value) if self.unit else f"{value:.4f}"

    def _number(self, value: float) -> str:
        return f"{round(value * self.scale, self.digits) + 0.0:.{self.digits}f}"

    def _interval(self, low: float, high: float, level: float) -> str:
        return f"({level * 100:.4g} % CI {self._number(low)} to {self._number(high)})"


ACCURACY = Measure(
    name="accuracy",
    unit=" percentage points",
    scale=100,
    sign=1,
    digits=1,
    more="more accurate",
    less="less accurate",
    most=100,
)
MEASURES = {
    "val_accuracy": ACCURACY,
    "balanced_val_accuracy": replace(
        ACCURACY,
        name="balanced accuracy",
        more="better in balanced accuracy",
        less="worse in balanced accuracy",
    ),
    "val_data_loss": Measure(
        name="loss",
        unit="",
        scale=1,
        sign=-1,
        digits=4,
        more="lower in loss",
        less="higher in loss",
        most=WORST_LOSS,
    ),
}


def strength(value: float) -> str:
    """For example `0.00031`, or `off`."""
    return f"{value:.2g}" if value > 0 else "off"


def percent(value: float) -> str:
    """For example `97.3 %`."""
    return f"{value * 100:.1f} %"
