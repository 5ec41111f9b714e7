"""The model: the network of a verdict as two files, for raw rows, here and on MLflow."""

from experiments.model.model import NUMBERS, WORDS, Model, find_model, origin, read_model, unkept

__all__ = ["NUMBERS", "WORDS", "Model", "find_model", "origin", "read_model", "unkept"]
