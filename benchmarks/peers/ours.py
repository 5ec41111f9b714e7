"""nnreg.train."""

from benchmarks.cases import Case, load, strengths
from benchmarks.sides import Prepared
from nnreg import LAMBDA_NAMES, Lambdas, Split, TrainConfig, train


def prepare(case: Case) -> Prepared:
    split = Split(*load(case))
    config = TrainConfig(hidden=(case.hidden,), epochs=case.epochs, batch_size=case.batch_size)
    lambdas = [Lambdas(**dict(zip(LAMBDA_NAMES, each, strict=True))) for each in strengths(case)]

    def once() -> None:
        train(split, config, lambdas)

    return once, case.lanes, ""
