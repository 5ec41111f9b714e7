"""The search space: each lambda on one log axis whose low end means off."""

from collections.abc import Mapping
from dataclasses import dataclass

from experiments.section import Range
from experiments.spec import LambdaAxes
from nnreg import LAMBDA_NAMES, Lambdas


@dataclass(frozen=True)
class Axis:
    """A log axis from `bottom` to `high`; a draw below `low` counts as exactly 0."""

    bottom: float
    low: float
    high: float

    @classmethod
    def of(cls, span: Range, off_decades: float) -> "Axis":
        """The axis of a range, with `off_decades` decades below its low end that mean off."""
        return cls(bottom=span.low * 10**-off_decades, low=span.low, high=span.high)

    def effective(self, draw: float) -> float:
        """The lambda that a draw stands for."""
        return draw if draw >= self.low else 0.0


@dataclass(frozen=True)
class Space:
    """The four lambdas: those with an axis are searched, the others are fixed."""

    axes: Mapping[str, Axis]
    fixed: Mapping[str, float]

    @classmethod
    def of(cls, lambdas: LambdaAxes, off_decades: float) -> "Space":
        """The space of an experiment."""
        spans = lambdas.axes
        return cls(
            axes={
                name: Axis.of(span, off_decades)
                for name, span in spans.items()
                if isinstance(span, Range)
            },
            fixed={name: span for name, span in spans.items() if not isinstance(span, Range)},
        )

    @property
    def bottom(self) -> dict[str, float]:
        """The draw of the baseline: the bottom of every axis."""
        return {name: axis.bottom for name, axis in self.axes.items()}

    def lambdas(self, draws: Mapping[str, float]) -> Lambdas:
        """The effective lambdas of a draw."""
        searched = {name: axis.effective(draws[name]) for name, axis in self.axes.items()}
        return Lambdas(
            **{name: searched.get(name, self.fixed.get(name, 0.0)) for name in LAMBDA_NAMES}
        )
