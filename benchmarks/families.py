"""The calibration of outer folds: how often their verdict claims what is not so, how often its
interval misses the truth, and how often it finds what is there, beside one division of the rows.

    python -m benchmarks.families [--tiny] [--studies N] [--nulls N] [--workers N] [--out FILE]

Each study has its own rows and seeds. With `outer = 5` five searches test on a fifth of the rows
each; the other side is the default, one division with a fifth of the rows for the test. What the
comparison estimates is the mean gain of searching with penalties, over training sets of so many
rows: the mean over all studies is taken for the truth, of which the interval at 95 % should miss 5
of 100. Results are appended to FILE, and what stands there is not computed again.
"""

import json
import tempfile
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import closing
from dataclasses import dataclass, replace
from functools import partial
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import pandas as pd

from benchmarks.calibration import begin_table, most, row
from benchmarks.command import begin
from benchmarks.in_process import searched
from benchmarks.simulated import FIXED, RANGE, Problem, table
from benchmarks.studies import FALSE, judged
from experiments.verdict import BETTER
from sweeps.confirmation import confirmed
from sweeps.confirmation.crossed import LEVEL
from sweeps.confirmation.outer import claim, outer_study

OUTER, FOLDS = 5, 5
SWEEP = {"trials": 32, "baseline": 8}
CONFIRM = {"top": 2, "seeds": 5}
TINY_SWEEP = {"trials": 8, "generation": 4, "baseline": 4}
TINY_CONFIRM = {"top": 1, "seeds": 2}


def two_inputs(rng: np.random.Generator, rows: int, *, features: int) -> pd.DataFrame:
    """The label is the sign of the sum of two inputs; the others mean nothing."""
    inputs = rng.standard_normal((rows, features))
    return table(inputs, (inputs[:, :2].sum(axis=1) > 0).astype(int))


TRAINING = {"epochs": 40, "batch_size": 32, "learning_rate": RANGE}
PLANTED = (
    Problem(
        name="300 rows, two inputs of 10 matter",
        draw=partial(two_inputs, features=10),
        rows=300,
        model={"hidden": [16]},
        training=TRAINING,
    ),
    Problem(
        name="1,000 rows, two inputs of 20 matter",
        draw=partial(two_inputs, features=20),
        rows=1_000,
        model={"hidden": [16]},
        training=TRAINING,
    ),
)
NULL = replace(
    FIXED,
    name="300 rows, nothing to learn",
    rows=300,
    model={"hidden": [16]},
    training=TRAINING,
)


@dataclass(frozen=True, kw_only=True)
class Found:
    """What a study found: its word, and with outer folds the gain with its interval at 95 %, and
    the gain of each fold.
    """

    problem: str
    way: str
    number: int
    word: str
    claimed: bool
    gain: float = 0.0
    low: float = 0.0
    high: float = 0.0
    folds: Sequence[float] = ()
    seconds: float = 0.0


def of_family(problem: Problem, number: int, *, tiny: bool) -> Found:
    """Search and test on each outer fold; the last search, which tests nothing, is left out."""
    folds = {"folds": FOLDS} if problem.name != NULL.name else {"val": 0.2}
    divided = replace(problem, split={"outer": OUTER, **folds})
    began = time.perf_counter()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        experiment = divided.experiment(
            number, folder, TINY_SWEEP if tiny else SWEEP, TINY_CONFIRM if tiny else CONFIRM
        )
        for fold in range(1, OUTER + 1):
            of_fold = experiment.of_outer_fold(fold)
            study = outer_study(experiment.name, fold)
            with searched(of_fold, folder, study=study) as one:
                reports = one.place.reports_of(study)
                confirmed(one.study, one.data, one.means, open_test=True, folder=reports)
        with closing(one.place.open(experiment.name, experiment)) as whole:
            made = claim(whole, one.means.others)
    assert made is not None
    interval = made.gain.interval(LEVEL)
    return Found(
        problem=problem.name,
        way="outer",
        number=number,
        word=made.word,
        claimed=made.word in FALSE,
        gain=interval.mean,
        low=interval.low,
        high=interval.high,
        folds=[one.with_penalties - one.without for one in made.outer],
        seconds=time.perf_counter() - began,
    )


def of_one_division(problem: Problem, number: int, *, tiny: bool) -> Found:
    with tempfile.TemporaryDirectory() as name:
        experiment = replace(problem, split={}).experiment(
            number, Path(name), TINY_SWEEP if tiny else SWEEP, TINY_CONFIRM if tiny else CONFIRM
        )
        outcome = judged(experiment, Path(name))
    return Found(
        problem=problem.name,
        way="one division",
        number=number,
        word=outcome.word,
        claimed=outcome.false,
        seconds=outcome.seconds,
    )


WAYS = {"outer": of_family, "one division": of_one_division}


def computed(
    wanted: list[tuple[Problem, str, int]], out: Path, workers: int, tiny: bool
) -> list[Found]:
    """Return the results that are wanted, in any order; those that are missing are computed."""
    there = (
        [Found(**json.loads(line)) for line in out.read_text().splitlines()] if out.exists() else []
    )
    known = {(one.problem, one.way, one.number): one for one in there}
    missing = [one for one in wanted if (one[0].name, *one[1:]) not in known]
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        for one in pool.map(_compute, missing, [tiny] * len(missing)):
            with out.open("a") as file:
                file.write(json.dumps(vars(one)) + "\n")
            known[one.problem, one.way, one.number] = one
    return [known[problem.name, way, number] for problem, way, number in wanted]


def _compute(wanted: tuple[Problem, str, int], tiny: bool) -> Found:
    problem, way, number = wanted
    return WAYS[way](problem, number, tiny=tiny)


def main() -> None:
    arguments = begin(
        __doc__,
        studies=(200, "of each problem in which a penalty helps, per way"),
        nulls=(400, "in which nothing helps"),
        workers=(2, "processes"),
    )
    tiny: bool = arguments.tiny
    planted, nulls = (2, 2) if tiny else (arguments.studies, arguments.nulls)
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "found.jsonl" if tiny else Path("families.jsonl")
        begin_table(
            "problem", "way", "studies", "better", "worse", "gain", "width", "misses", "limit", "s"
        )
        for problem, count in ((NULL, nulls), *((one, planted) for one in PLANTED)):
            for way in WAYS:
                wanted = [(problem, way, number) for number in range(count)]
                found = computed(wanted, out, arguments.workers, tiny)
                print(row(problem.name, way, *_told(found, problem is NULL)), flush=True)


def _told(found: list[Found], null: bool) -> Iterator[object]:
    yield len(found)
    yield sum(one.word == BETTER for one in found)
    yield sum(one.claimed and one.word != BETTER for one in found)
    gains = 100 * np.array([(one.gain, one.low, one.high) for one in found])
    if found[0].way == "outer":
        truth = 0.0 if null else gains[:, 0].mean()
        missed = ((gains[:, 1] > truth) | (gains[:, 2] < truth)).sum()
        yield f"{truth:+.2f}"
        yield f"{(gains[:, 2] - gains[:, 1]).mean():.1f}"
        yield missed
        yield most(len(found))
    else:
        yield from [""] * 4
    yield f"{np.mean([one.seconds for one in found]):.1f}"


if __name__ == "__main__":
    main()
