"""The model: the network of a verdict, kept as two files, asked about raw rows, and written as
MLflow wants a model.
"""

from experiments.model.model import NUMBERS, WORDS, Model, find_model, read_model
from experiments.model.origin import confirmed_at, digest, origin

__all__ = [
    "NUMBERS",
    "WORDS",
    "Model",
    "confirmed_at",
    "digest",
    "find_model",
    "origin",
    "read_model",
]
