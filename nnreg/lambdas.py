"""The four strengths of the penalty."""

from dataclasses import dataclass

LAMBDA_NAMES = ("weight_l1", "weight_l2", "bias_l1", "bias_l2")


@dataclass(frozen=True, kw_only=True)
class Lambdas:
    """How strongly weights and biases are penalised, by L1 and by L2; 0 is off."""

    weight_l1: float = 0.0
    weight_l2: float = 0.0
    bias_l1: float = 0.0
    bias_l2: float = 0.0

    @property
    def on(self) -> tuple[str, ...]:
        """The names of those above 0."""
        return tuple(name for name in LAMBDA_NAMES if getattr(self, name) > 0)
