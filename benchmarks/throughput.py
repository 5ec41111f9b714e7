"""How many trials per second are trained, by lanes and workers?

    python -m benchmarks.throughput [--tiny] [--trials N]

The training alone, of the experiment `digits`, through the real executors: no proposals, no
storage, no MLflow.
"""

import functools
import time

from benchmarks.command import begin, head, in_child, row

LANES = (1, 2, 4, 8, 16, 32)
WORKERS = (1, 2, 4)


def main() -> None:
    arguments = begin(__doc__, trials=(512, "trials of each measure"))
    lanes, workers = (LANES[1:2], WORKERS[-1:]) if arguments.tiny else (LANES, WORKERS)
    head("digits: workers, lanes", "trials/s", goal="")
    for count in workers:
        for each, rate in in_child(
            measure, count, lanes, 8 if arguments.tiny else arguments.trials
        ).items():
            row(f"{count}, {each}", f"{rate:,.0f}")


def measure(workers: int, lanes: tuple[int, ...], trials: int) -> dict[int, float]:
    """Trials a second by lanes, the better of two turns each, with workers that are there and have
    the data.
    """
    from experiments import datasets, experiment_file
    from experiments.evaluation import Job, Setting, stored
    from nnreg import Lambdas
    from sweeps.executors import local
    from sweeps.executors.evaluator import Evaluator

    experiment = experiment_file.load("digits")
    data = datasets.load(experiment.data, experiment.training.dtype)
    jobs = [Job(Setting(Lambdas(weight_l2=1e-4), learning_rate=1e-3), seeds=(0,))] * trials
    with stored(data.splits) as arrays, local.make(workers) as executor:
        spec = experiment.evaluation(arrays)

        def seconds(each: int, trials: int) -> float:
            start = time.perf_counter()
            for _ in Evaluator(executor, spec, functools.partial(int, each)).evaluate(
                jobs[:trials]
            ):
                pass
            return time.perf_counter() - start

        seconds(1, 4 * workers)
        return {each: trials / min(seconds(each, trials) for _ in range(2)) for each in lanes}


if __name__ == "__main__":
    main()
