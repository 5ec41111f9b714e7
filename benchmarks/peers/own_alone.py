"""The function of a user's own network, called in a plain process."""

from benchmarks.cases import Case, load, strengths
from benchmarks.peers import own_dense
from benchmarks.sides import Prepared
from nnreg import LAMBDA_NAMES, Lambdas, Split


def prepare(case: Case, *, measured: bool = False) -> Prepared:
    split = Split(*load(case))
    lambdas = [Lambdas(**dict(zip(LAMBDA_NAMES, each, strict=True))) for each in strengths(case)]

    def once() -> None:
        for each in lambdas:
            for yielded in own_dense.train(
                split,
                each,
                seed=0,
                epochs=case.epochs,
                batch_size=case.batch_size,
                learning_rate=1e-3,
            ):
                if measured:
                    yielded["network"].predict(split.x_val)

    return once, case.lanes, ""
