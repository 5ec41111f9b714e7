"""Lambdas: how strongly weights and biases are penalised."""

from dataclasses import dataclass

from nnreg.checks import one_of, real_number

LAMBDA_NAMES = ("weight_l1", "weight_l2", "bias_l1", "bias_l2")
"""The four strengths in the order used everywhere: fields, columns, sums."""

LAYERS = ("all", "hidden")
"""The layers that are penalised: every one, or every one but the last."""


@dataclass(frozen=True, kw_only=True)
class Lambdas:
    """The strengths of the penalty l1w*sum|w| + l2w*sum w^2 + l1b*sum|b| + l2b*sum b^2.

    A strength that is not given is 0, which is off. Raises TypeError if one is not a real number,
    ValueError if it is negative or not finite.
    """

    weight_l1: float = 0.0
    weight_l2: float = 0.0
    bias_l1: float = 0.0
    bias_l2: float = 0.0

    def __post_init__(self) -> None:
        for name in LAMBDA_NAMES:
            strength = real_number(name, getattr(self, name), remedy="To switch it off, use 0.")
            object.__setattr__(self, name, strength)

    @property
    def on(self) -> tuple[str, ...]:
        """Names of the strengths above 0, in order."""
        return tuple(name for name in LAMBDA_NAMES if getattr(self, name) > 0)

    def as_tuple(self) -> tuple[float, float, float, float]:
        """In the order of LAMBDA_NAMES."""
        return (self.weight_l1, self.weight_l2, self.bias_l1, self.bias_l2)


def per_layer(lambdas: Lambdas, layers: str, hidden: int) -> tuple[Lambdas, ...]:
    """Return the lambdas of each layer, first to last, of a network with `hidden` hidden layers.

    `layers` is one of LAYERS. Raises TypeError or ValueError if it is not.
    """
    last = lambdas if one_of("layers", layers, LAYERS) == "all" else Lambdas()
    return (*[lambdas] * hidden, last)
