"""The measures: how the values and the differences of an objective read in a sentence."""

from dataclasses import dataclass

from experiments.verdict import SAME, Comparison
from nnreg.losses import WORST_LOSS


@dataclass(frozen=True)
class Measure:
    """How values and differences of an objective read; `most` is the largest difference."""

    unit: str
    scale: float
    digits: int
    more: str
    less: str
    most: float

    def size(self, value: float) -> str:
        """For example `2.3 points`."""
        return f"{abs(value) * self.scale:.{self.digits}f}{self.unit}"

    def compared(self, value: float) -> str:
        """For example `2.3 points more accurate`."""
        return f"{self.size(value)} {self.more if value >= 0 else self.less}"

    def difference(self, comparison: Comparison, than: str = "", *, turned: bool = False) -> str:
        """Such as `2.3 points more accurate than none (0.6 to 4.0)`; `turned` is the reverse."""
        same = comparison.word == SAME
        gain = comparison.narrow if same else comparison.gain
        gain = gain.turned() if turned else gain
        one = gain if gain.mean >= 0 else gain.turned()
        low, high = (f"{end * self.scale + 0.0:.{self.digits}f}" for end in (one.low, one.high))
        return f"{self.compared(gain.mean)}{than} ({low} to {high}{' at 90 %' if same else ''})"

    def value(self, value: float) -> str:
        """For example `97.3 %`, or `0.1234` of a loss."""
        return percent(value) if self.unit else f"{value:.4f}"


MEASURES = {
    "val_accuracy": Measure(" points", 100, 1, "more accurate", "less accurate", 100),
    "balanced_val_accuracy": Measure(
        " points", 100, 1, "better in balanced accuracy", "worse in balanced accuracy", 100
    ),
    "val_data_loss": Measure("", 1, 4, "lower in loss", "higher in loss", WORST_LOSS),
}


def strength(value: float) -> str:
    """For example `0.00031`, or `off`."""
    return f"{value:.2g}" if value > 0 else "off"


def percent(value: float) -> str:
    """For example `97.3 %`."""
    return f"{value * 100:.1f} %"
