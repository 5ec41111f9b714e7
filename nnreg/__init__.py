"""The regularized network: Dense layers with L1 and L2 penalties on weights and biases, in NumPy."""

from nnreg.lambdas import LAMBDA_NAMES, Lambdas
from nnreg.training import Fit, Split, TrainConfig, train

__all__ = ["LAMBDA_NAMES", "Fit", "Lambdas", "Split", "TrainConfig", "train"]
