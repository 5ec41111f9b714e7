"""The calibration: how often a verdict claims what is not so, and how often it finds what is.

    python -m benchmarks.calibration [--tiny] [--studies N] [--tuned N] [--planted N]
                                     [--workers N]

Three kinds of simulated studies (`benchmarks/simulated.py`). In the nulls no setting is truly more
accurate than another, so every "better" and every "worse" is false. Most such studies recommend the
baseline, and so compare nothing: here the best penalised setting is compared as if it were
recommended. Then comes a problem in which a penalty helps only networks that are badly trained,
with the old comparison beside the fair one. Last come problems in which a penalty truly helps.
"""

from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context

import numpy as np
from scipy import stats

from benchmarks.command import begin
from benchmarks.simulated import (
    NULLS,
    PLANTED_GAIN,
    TUNED_NULLS,
    UNFAIR_GAIN,
    Problem,
)
from benchmarks.studies import Outcome, of_digits_noisy, simulated
from benchmarks.truth import Size, Truth, truth
from experiments.verdict import BETTER
from nnreg import TrainConfig
from sweeps.confirmation import tests

TRIALS = 48
"""Of a simulated study: three generations. Those of `digits_noisy` have the default, 100."""

CERTAINTY = 0.99
"""A table's limit is the most that a rate of 5 % makes with this probability."""

TRUTHS = 10
"""For the training rows of so many studies the truth is computed."""

DIGITS = ("confirm.references=false",)
TINY_DIGITS = (
    *DIGITS,
    "training.epochs=5",
    "sweep.trials=8",
    "sweep.generation=4",
    "sweep.baseline=4",
    "confirm.seeds=3",
)
NULL_HEAD = (
    "null",
    "studies",
    "recommend",
    "claim falsely",
    "limit",
    "forced: falsely",
    "limit",
    "p < 5 %",
    "over seeds",
    "s",
)


def most(studies: int, rate: float = tests.ALPHA) -> int:
    """The most false claims that this rate makes in so many studies, in 99 cases of 100."""
    return int(stats.binom.ppf(CERTAINTY, studies, rate))


def begin_table(*names: str) -> None:
    print(f"\n| {' | '.join(names)} |\n{'|---' * len(names)}|", flush=True)


def row(*cells: object) -> str:
    return f"| {' | '.join(map(str, cells))} |"


def mean_seconds(found: Sequence[Outcome]) -> str:
    return f"{np.mean([one.seconds for one in found]):.2f}"


def untuned(problem: Problem) -> Problem:
    """The old comparison: one learning rate for both sides, and the last epoch."""
    return problem.with_training(problem.name, learning_rate=TrainConfig.learning_rate, keep="last")


def report(null: Problem, found: Sequence[Outcome]) -> str:
    """A null as a row of the table: how many studies recommend a penalty and claim what is false,
    and how many would when forced; then, at 5 %, how often the forced comparison with the baseline
    alone is significant, and how often a t test over seeds is.
    """
    return row(
        null.name,
        len(found),
        sum(bool(one.claimed) for one in found),
        sum(one.false for one in found),
        most(len(found)),
        sum(one.false_when_forced for one in found),
        most(len(found), tests.ALPHA / 2),
        sum(one.forced[0].p < tests.ALPHA for one in found),
        sum(one.over_seeds < tests.ALPHA for one in found),
        mean_seconds(found),
    )


def told(truths: Sequence[Truth]) -> tuple[str, str, str]:
    """What is true: mean accuracies without and with penalties, and the gain in points."""
    none, penalised, gains = (
        100 * np.array([getattr(one, name) for one in truths])
        for name in ("none", "penalised", "gain")
    )
    spread = f"{gains.mean():+.2f} ({gains.min():+.2f} to {gains.max():+.2f})"
    return f"{none.mean():.2f}", f"{penalised.mean():.2f}", spread


def main() -> None:
    arguments = begin(
        __doc__,
        studies=(1_000, "of each null whose learning rate is fixed; of (d), (e) and (f) 0.4 times"),
        tuned=(400, "studies of each null whose learning rate is tuned"),
        planted=(200, "studies of each problem in which a penalty helps"),
        workers=(3, "processes"),
    )
    tiny: bool = arguments.tiny
    sweep = {"trials": 8, "generation": 4, "baseline": 4} if tiny else {"trials": TRIALS}
    study = partial(simulated, sweep=sweep, confirm={"top": 1, "seeds": 3} if tiny else {})
    size = Size(settings=4, search_rows=100, seeds=2, rows=100) if tiny else Size()
    edits = TINY_DIGITS if tiny else DIGITS
    studies, tuned, planted = (
        (4, 2, 2) if tiny else (arguments.studies, arguments.tuned, arguments.planted)
    )
    with ProcessPoolExecutor(arguments.workers, mp_context=get_context("spawn")) as pool:

        def of(judge: Callable[[int], Outcome], count: int) -> list[Outcome]:
            return list(pool.map(judge, range(count)))

        begin_table(*NULL_HEAD)
        counts = [(null, round(studies * null.part)) for null in NULLS]
        for null, count in [*counts, *((null, tuned) for null in TUNED_NULLS)]:
            if count:
                print(report(null, of(partial(study, null, force=True), count)), flush=True)
        if not planted:
            return
        begin_table("problem", "training", "none", "best penalised", "true gain in points")
        for problem in (UNFAIR_GAIN, PLANTED_GAIN):
            for training, trained in (("tuned", problem), ("untuned", untuned(problem))):
                truths = list(pool.map(partial(truth, trained, size), range(1 if tiny else TRUTHS)))
                print(row(problem.name, training, *told(truths)), flush=True)
        begin_table("problem", "studies", "recommend", "better", "goal", "s")
        rounded = round(0.95 * planted)
        for name, goal, judge in (
            (UNFAIR_GAIN.name, f"<= {planted - rounded}", partial(study, UNFAIR_GAIN)),
            (f"{UNFAIR_GAIN.name}, untuned", "", partial(study, untuned(UNFAIR_GAIN))),
            (PLANTED_GAIN.name, f">= {rounded}", partial(study, PLANTED_GAIN)),
            ("digits_noisy", f">= {rounded}", partial(of_digits_noisy, edits)),
        ):
            found = of(judge, planted)
            recommend, better = (
                sum(bool(one.claimed) for one in found),
                sum(one.word == BETTER for one in found),
            )
            print(row(name, planted, recommend, better, goal, mean_seconds(found)), flush=True)


if __name__ == "__main__":
    main()
