"""TrainConfig: how a network is made and trained, all but its data and its penalties."""

from collections.abc import Sequence
from dataclasses import dataclass

from nnreg.checks import one_of, whole_number
from nnreg.optimizers import SGD, Adam, Optimizer

OPTIMIZERS = ("adam", "sgd")
INITIALIZATIONS = ("he", "normal_0.01")
DTYPES = ("float32", "float64")


@dataclass(frozen=True, kw_only=True)
class TrainConfig:
    """One record for all lanes.

    hidden          neurons of each hidden layer; () is logistic regression epochs          times
    that every training row is used batch_size      rows a step; None is the full batch, whose rows
    keep their order learning_rate   of step t = 0, 1, ...: learning_rate / (1 + decay * t)
    optimizer       "adam", with beta_1, beta_2, epsilon; or "sgd", with momentum initialization  of
    the weights: "he" is normal * sqrt(2 / n_inputs), "normal_0.01" is normal * 0.01; biases are 0
    dtype           "float32" or "float64", of all that is computed; what is reported is float64
    seed            of the initial weights and of the order of rows, where `train` is not given
    seeds

    Raises TypeError where a type is wrong, ValueError where a value is.
    """

    hidden: tuple[int, ...] = (64,)
    epochs: int = 30
    batch_size: int | None = 128
    learning_rate: float = 1e-3
    decay: float = 0.0
    optimizer: str = "adam"
    beta_1: float = 0.9
    beta_2: float = 0.999
    epsilon: float = 1e-7
    momentum: float = 0.9
    initialization: str = "he"
    dtype: str = "float32"
    seed: int = 0

    def __post_init__(self) -> None:
        def keep(name: str, value: object) -> None:
            object.__setattr__(self, name, value)

        if not isinstance(self.hidden, Sequence) or isinstance(self.hidden, str):
            raise TypeError(
                f"hidden is {self.hidden!r}; it must be a tuple, the neurons of each layer. For one"
                " layer, use (64,)."
            )
        width = "To have one layer fewer, leave the number out."
        keep(
            "hidden",
            tuple(
                whole_number(f"hidden[{i}]", n, low=1, remedy=width)
                for i, n in enumerate(self.hidden)
            ),
        )
        keep("epochs", whole_number("epochs", self.epochs, low=1, remedy="Try 30."))
        if self.batch_size is not None:
            full = "For the full batch, use None."
            keep("batch_size", whole_number("batch_size", self.batch_size, low=1, remedy=full))
        keep("seed", check_seed("seed", self.seed))
        one_of("optimizer", self.optimizer, OPTIMIZERS)
        one_of("initialization", self.initialization, INITIALIZATIONS)
        one_of("dtype", self.dtype, DTYPES)
        # Each optimizer checks its own numbers; both are made here, so that a wrong one is told at
        # birth, used or not.
        adam = Adam(self.learning_rate, self.decay, self.epsilon, self.beta_1, self.beta_2)
        sgd = SGD(self.learning_rate, self.decay, self.momentum)
        for name in ("learning_rate", "decay", "epsilon", "beta_1", "beta_2"):
            keep(name, getattr(adam, name))
        keep("momentum", sgd.momentum)

    def new_optimizer(self) -> Optimizer:
        """The optimizer before its first step."""
        if self.optimizer == "sgd":
            return SGD(self.learning_rate, self.decay, self.momentum)
        return Adam(self.learning_rate, self.decay, self.epsilon, self.beta_1, self.beta_2)


def check_seed(name: str, value: object) -> int:
    """`value` as a seed: a whole number of at least 0."""
    return whole_number(name, value, low=0, remedy="Any whole number from 0 up will do.")
