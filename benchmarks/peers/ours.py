"""nnreg.train as a sweep uses it: a learning rate of each lane's own, and its best epoch kept."""

import numpy as np

from benchmarks.cases import Case, load, strengths
from benchmarks.sides import Prepared
from nnreg import LAMBDA_NAMES, Lambdas, Split, TrainConfig, train


def prepare(case: Case, *, tuned: bool = True) -> Prepared:
    split = Split(*load(case))
    config = TrainConfig(hidden=(case.hidden,), epochs=case.epochs, batch_size=case.batch_size)
    lambdas = [Lambdas(**dict(zip(LAMBDA_NAMES, each, strict=True))) for each in strengths(case)]
    rates = np.geomspace(3e-4, 1e-1, case.lanes).tolist() if tuned else None
    keep = "val_accuracy" if tuned else None

    def once() -> None:
        train(split, config, lambdas, learning_rates=rates, keep=keep)

    return once, case.lanes, ""
