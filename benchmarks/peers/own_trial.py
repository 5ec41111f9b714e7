"""The same function as trials of a sweep: sent to a worker process, one after the other."""

import atexit
from contextlib import ExitStack
from pathlib import Path

from benchmarks.cases import Case, load, strengths
from benchmarks.peers import own_dense
from benchmarks.sides import Prepared
from experiments.evaluation import EvaluationSpec, Job, Setting, evaluate, stored
from experiments.network import from_file
from nnreg import LAMBDA_NAMES, Lambdas, Split, Splits, TrainConfig
from sweeps.executors.local import ProcessExecutor


def prepare(case: Case) -> Prepared:
    stack = ExitStack()
    atexit.register(stack.close)
    file = Path(own_dense.__file__)
    spec = EvaluationSpec(
        TrainConfig(epochs=case.epochs, batch_size=case.batch_size),
        "all",
        stack.enter_context(stored(Splits((Split(*load(case)),)))),
        keep="val_accuracy",
        own=from_file(file, "train", file.parent, {}),
    )
    executor = stack.enter_context(ProcessExecutor(1))
    lambdas = [Lambdas(**dict(zip(LAMBDA_NAMES, each, strict=True))) for each in strengths(case)]
    jobs = [Job(Setting(each, 1e-3), (0,)) for each in lambdas]

    def once() -> None:
        for job in jobs:
            ((result,),) = executor.submit(evaluate, spec, [job]).result()
            if result.error:
                raise RuntimeError(result.error)

    return once, case.lanes, ""
