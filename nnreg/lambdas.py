"""Lambdas: how strongly weights and biases are penalised."""

import math
from dataclasses import dataclass

from nnreg.checks import as_float, one_of

LAMBDA_NAMES = ("weight_l1", "weight_l2", "bias_l1", "bias_l2")
"""The four strengths in the order used everywhere: fields, columns, sums."""

LAYERS = ("all", "hidden")
"""The layers that are penalised: every one, or every one but the last."""


@dataclass(frozen=True, kw_only=True)
class Lambdas:
    """The four strengths of the penalty l1w*sum|w| + l2w*sum w^2 + l1b*sum|b| + l2b*sum b^2; all
    off unless given.

    Raises ValueError where one of them is not a real number, not finite, or negative.
    """

    weight_l1: float = 0.0
    weight_l2: float = 0.0
    bias_l1: float = 0.0
    bias_l2: float = 0.0

    def __post_init__(self) -> None:
        for name in LAMBDA_NAMES:
            object.__setattr__(self, name, _strength(name, getattr(self, name)))

    @property
    def on(self) -> tuple[str, ...]:
        """Names of the penalties that are on, in order; empty for the baseline."""
        return tuple(name for name in LAMBDA_NAMES if getattr(self, name) > 0)

    def as_tuple(self) -> tuple[float, float, float, float]:
        """The four strengths in the order of LAMBDA_NAMES."""
        return (self.weight_l1, self.weight_l2, self.bias_l1, self.bias_l2)


def per_layer(lambdas: Lambdas, layers: str, hidden: int) -> tuple[Lambdas, ...]:
    """The lambdas of each layer, from first to last, of a network with so many hidden ones;
    `layers` is one of LAYERS.

    Raises TypeError or ValueError where it is none.
    """
    return (lambdas,) * hidden + (
        lambdas if one_of("layers", layers, LAYERS) == "all" else Lambdas(),
    )


def _strength(name: str, value: object) -> float:
    number = as_float(value)
    if number is None or not math.isfinite(number) or number < 0:
        raise ValueError(
            f"{name} is {value!r}; a penalty's strength is a finite number of at least 0. To switch"
            " it off, use 0."
        )
    return number + 0.0  # -0.0 becomes 0.0, so that equal lambdas print and hash alike
