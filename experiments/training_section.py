"""The table [training]: how a network is trained."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import Field

from experiments.section import LearningRate, Positive, Range, RateRange, Section, Seed, Share
from nnreg import TrainConfig

EPOCHS = 100  # of a network whose best epoch is kept


def _tuned(training: Mapping[str, Any]) -> bool:
    """Whether the learning rate is tuned, which is a reason to train to the end."""
    return isinstance(training.get("learning_rate"), Range)


class Training(Section):
    """[training]: how the network is trained."""

    learning_rate: LearningRate = RateRange()
    """The learning rate: a range is tuned for both arms, a number is fixed."""
    epochs: Annotated[int, Field(ge=1, le=1_000_000)] = Field(
        default_factory=lambda others: EPOCHS if _tuned(others) else TrainConfig.epochs
    )
    """How often each training row is used, at most."""
    keep: Literal["best", "last"] = Field(
        default_factory=lambda others: "best" if _tuned(others) else "last"
    )
    """Which epoch's network counts: the "best" on the validation rows, or the "last"."""
    batch_size: Annotated[int, Field(ge=1, le=1_000_000_000)] | Literal["full"] = (
        TrainConfig.batch_size or "full"
    )
    """The rows per optimizer step, or "full" for all of them."""
    decay: Annotated[float, Field(ge=0)] = TrainConfig.decay
    """How fast the learning rate falls: learning_rate / (1 + decay * steps done)."""
    optimizer: Literal["adam", "sgd"] = "adam"
    """The optimizer: "adam" or "sgd"."""
    beta_1: Share = TrainConfig.beta_1
    """Adam's decay rate for the mean of the gradients."""
    beta_2: Share = TrainConfig.beta_2
    """Adam's decay rate for the mean of their squares."""
    epsilon: Positive = TrainConfig.epsilon
    """The small number by which Adam avoids a division by zero."""
    momentum: Share = TrainConfig.momentum
    """The momentum of sgd; 0 is none."""
    dtype: Literal["float32", "float64"] = "float32"
    """The precision: "float32", or "float64" at half the speed."""
    seed: Seed = TrainConfig.seed
    """The seed of the initial weights and of the order of the rows."""
