"""A small neural network with L1 and L2 penalties on its weights and biases, trained many at a
time.

    from nnreg import Lambdas, Split, TrainConfig, train
    fits = train(Split(x_train, y_train, x_val, y_val), TrainConfig(), [Lambdas(), Lambdas(weight_l2=1e-4)])
    fits[1].val_accuracy[-1]

Imports NumPy and the standard library only, and a module of its own when a name of it is first
used. For scikit-learn there is `nnreg.estimator`, which imports it, and is not imported from here.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from nnreg.config import TrainConfig
    from nnreg.curves import CURVE_NAMES
    from nnreg.lambdas import LAMBDA_NAMES, Lambdas
    from nnreg.layers import Dense, ReLU
    from nnreg.losses import CategoricalCrossentropy, Loss, penalty_terms, softmax
    from nnreg.optimizers import SGD, Adam
    from nnreg.split import Split
    from nnreg.trained import answers, layer_terms, probabilities
    from nnreg.training import Fit, train

_HOME = {
    "CURVE_NAMES": "curves",
    "LAMBDA_NAMES": "lambdas",
    "SGD": "optimizers",
    "Adam": "optimizers",
    "CategoricalCrossentropy": "losses",
    "Dense": "layers",
    "Fit": "training",
    "Lambdas": "lambdas",
    "Loss": "losses",
    "ReLU": "layers",
    "Split": "split",
    "TrainConfig": "config",
    "answers": "trained",
    "layer_terms": "trained",
    "penalty_terms": "losses",
    "probabilities": "trained",
    "softmax": "losses",
    "train": "training",
}

__all__ = [
    "CURVE_NAMES",
    "LAMBDA_NAMES",
    "SGD",
    "Adam",
    "CategoricalCrossentropy",
    "Dense",
    "Fit",
    "Lambdas",
    "Loss",
    "ReLU",
    "Split",
    "TrainConfig",
    "answers",
    "layer_terms",
    "penalty_terms",
    "probabilities",
    "softmax",
    "train",
]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = globals()[name] = getattr(import_module(f"{__name__}.{_HOME[name]}"), name)
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
