"""TrainConfig: how a network is built and trained, except for its data and its penalties."""

from collections.abc import Sequence
from dataclasses import dataclass

from nnreg.checks import one_of, seed_number, whole_number
from nnreg.optimizers import SGD, Adam, LearningRate, Optimizer

OPTIMIZERS = ("adam", "sgd")
INITIALIZATIONS = ("he", "normal_0.01")
DTYPES = ("float32", "float64")


@dataclass(frozen=True, kw_only=True)
class TrainConfig:
    """The settings that all lanes share.

    hidden          neurons of each hidden layer; () is logistic regression
    epochs          how often every training row is used
    batch_size      rows per step; None is the full batch, whose rows keep their order
    learning_rate   of step t = 0, 1, ...: learning_rate / (1 + decay * t), unless `train` gets some
    optimizer       "adam", with beta_1, beta_2, epsilon; or "sgd", with momentum
    initialization  of the weights: "he" is normal * sqrt(2 / n_inputs),
                    "normal_0.01" is normal * 0.01; biases are 0
    dtype           "float32" or "float64", of every computation; curves are float64
    seed            of the initial weights and the order of rows, unless `train` gets seeds

    Raises TypeError if a type is wrong, ValueError if a value is.
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
        if not isinstance(self.hidden, Sequence) or isinstance(self.hidden, str):
            raise TypeError(
                f"hidden is {self.hidden!r}; it must be a tuple, the neurons of each layer. For one"
                " layer, use (64,)."
            )
        hidden = [
            whole_number(f"hidden[{i}]", n, low=1, remedy="For fewer layers, leave it out.")
            for i, n in enumerate(self.hidden)
        ]
        checked: dict[str, object] = {
            "hidden": tuple(hidden),
            "epochs": whole_number("epochs", self.epochs, low=1, remedy="Try 30."),
            "seed": seed_number("seed", self.seed),
        }
        # Both optimizers check their own numbers, so that a wrong one is refused here, used or not.
        for optimizer in (self._adam(self.learning_rate), self._sgd(self.learning_rate)):
            checked |= {name: n for name, n in vars(optimizer).items() if hasattr(self, name)}
        if self.batch_size is not None:
            remedy = "For the full batch, use None."
            checked["batch_size"] = whole_number(
                "batch_size", self.batch_size, low=1, remedy=remedy
            )
        one_of("optimizer", self.optimizer, OPTIMIZERS)
        one_of("initialization", self.initialization, INITIALIZATIONS)
        one_of("dtype", self.dtype, DTYPES)
        for name, value in checked.items():
            object.__setattr__(self, name, value)

    def new_optimizer(self, learning_rate: LearningRate) -> Optimizer:
        """Return the optimizer before its first step."""
        return self._sgd(learning_rate) if self.optimizer == "sgd" else self._adam(learning_rate)

    def _adam(self, learning_rate: LearningRate) -> Adam:
        return Adam(learning_rate, self.decay, self.epsilon, self.beta_1, self.beta_2)

    def _sgd(self, learning_rate: LearningRate) -> SGD:
        return SGD(learning_rate, self.decay, self.momentum)
