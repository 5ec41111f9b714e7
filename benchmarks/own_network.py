"""What does a user's own network cost beside its training?

    python -m benchmarks.own_network [--tiny] [--rounds N] [--trials N]

Three things are measured. A trial in a worker against the same function in a plain process, in
turns on one core: alone, and with the prediction of the validation rows after each epoch, which
whoever measures needs. Whole searches of trials of different length: how busy the workers are. And
our own network, written as a user would write it, against the built-in one: the verdict, and the
time per trial.
"""

import statistics
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import groupby, pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.cases import Case
from benchmarks.command import begin, head, in_child, row
from benchmarks.peers import own_dense
from benchmarks.side_by_side import alternate

if TYPE_CHECKING:
    from sweeps import Sweep

LONG = Case(name="trials of about 1 s", epochs=300, batch_size=32, lanes=1)
SHORT = Case(name="trials of about 10 ms, 4 epochs", epochs=4, lanes=10)
MANY = Case(
    name="trials of about 10 ms, 12 epochs",
    epochs=12,
    batch_size=16,
    rows=90,
    val_rows=30,
    lanes=10,
)
ALONE, PREDICTS, TRIAL = "own", "own, predicts", "own, trial"
FILE = Path(own_dense.__file__)
OF_A_SECOND = ("training.epochs=300", "training.batch_size=32")
OF_ALL_LENGTHS = (  # 0.2 to 2 s
    *("training.epochs=30", "training.batch_size=32", "sweep.sampler=qmc"),
    "model.parameters={ passes = { low = 1, high = 10 } }",
)
WORKERS = (1, 2)
TINY = (
    *("training.epochs=2", "sweep.baseline=2", "sweep.trials=4"),
    *("confirm.seeds=2", "confirm.references=false"),
)


def main() -> None:
    arguments = begin(
        __doc__, rounds=(21, "turns of each side"), trials=(96, "trials of each search")
    )
    if arguments.tiny:
        overhead(LONG.made_tiny(), "<= 5 %", 1)
        searches("trials of 0.2 to 2 s", (*OF_ALL_LENGTHS, *TINY), 4, WORKERS[-1:])
        verdicts("iris", TINY)
        return
    for case, goal in ((LONG, "<= 5 %"), (SHORT, "<= 20 ms"), (MANY, "<= 20 ms")):
        overhead(case, goal, arguments.rounds)
    searches("trials of about 1 s", OF_A_SECOND, arguments.trials)
    searches("trials of 0.2 to 2 s", OF_ALL_LENGTHS, arguments.trials)
    for name in ("iris", "digits_noisy"):
        verdicts(name)


def overhead(case: Case, goal: str, rounds: int) -> None:
    """Print what a trial takes beyond the user's function; medians of differences in a round."""
    timings = alternate([ALONE, PREDICTS, TRIAL], case.as_dict(), rounds)
    head(case.name, "ms")
    row("the function alone", f"{timings.milliseconds(ALONE):.1f}")
    row("the same, and it predicts", f"{timings.milliseconds(PREDICTS):.1f}")
    row("as a trial in a worker", f"{timings.milliseconds(TRIAL):.1f}")
    for other, name in ((ALONE, "alone"), (PREDICTS, "with predictions")):
        seconds = timings.seconds[TRIAL], timings.seconds[other]
        beyond = statistics.median(a - b for a, b in zip(*seconds, strict=True))
        share = statistics.median(timings.ratios(TRIAL, other)) - 1
        row(f"a trial beyond the function {name}", f"{1000 * beyond:.1f}, {share:.1%}", goal)
        least, of_other = map(min, seconds)  # which a busy machine changes least
        beyond, share = least - of_other, least / of_other - 1
        row("  the same of the least times", f"{1000 * beyond:.1f}, {share:.1%}", goal)


def verdicts(name: str, edits: Sequence[str] = ()) -> None:
    """Print the verdicts on our own network, built in and as a user's own."""
    head(f"{name}: verdict, and gain in points", "ms per trial")
    for what, model in (("built in, in lanes", None), ("as an own network", FILE)):
        word, gain, seconds = in_child(judged, name, model, edits)
        row(f"{what}: {word}, {100 * gain:+.1f}", f"{1000 * seconds:.1f}")


def judged(name: str, model: Path | None, edits: Sequence[str]) -> tuple[str, float, float]:
    """The verdict's word, the gain on the test rows, and the seconds of a trial of the search."""
    with ran(name, model, edits, WORKERS[-1]) as sweep:
        verdict = sweep.verdict
        gain = verdict.gain.mean if verdict and verdict.gain else 0.0
        seconds = statistics.mean(one.seconds for one in sweep.record.trials)
    return verdict.word if verdict else "none", gain, seconds


@contextmanager
def ran(
    name: str, model: Path | None, edits: Sequence[str], workers: int, **how: Any
) -> Iterator["Sweep"]:
    """Run a sweep in a folder of its own."""
    import sweeps

    with tempfile.TemporaryDirectory() as folder:
        yield sweeps.run(name, model=model, workers=workers, edits=edits, directory=folder, **how)


@dataclass(frozen=True)
class Searched:
    """Seconds of a whole `sweeps.run`, and of the workers' time from the first trial's start to the
    last one's end: in a trial, at a generation's end without one, and between two generations.
    """

    whole: float
    workers: float
    trials: float
    at_ends: float
    between: float
    longest: float
    shortest: float


def searches(
    name: str, edits: Sequence[str], trials: int, numbers: Sequence[int] = WORKERS
) -> None:
    """Print how busy the workers are in a search, for each number of them."""
    head(f"a search: {trials} {name}", "seconds", "share")
    for workers in numbers:
        found = in_child(searched, edits, trials, workers)
        row(f"{workers} workers: the whole sweeps.run", f"{found.whole:.1f}")
        row("  per trial", f"{found.whole / trials:.3f}")
        row(f"  trials, {found.shortest:.2f} to {found.longest:.2f} s each", f"{found.trials:.1f}")
        for what, seconds in (
            ("  of the workers' time in the search: in trials", found.trials),
            ("  waiting for the last of a generation", found.at_ends),
            ("  waiting for the next generation", found.between),
        ):
            row(what, f"{seconds:.1f}", f"{seconds / found.workers:.1%}")


def searched(edits: Sequence[str], trials: int, workers: int) -> Searched:
    """Run a search in a folder of its own, with its runs on MLflow and its reports."""
    start = time.perf_counter()
    with ran("digits", FILE, edits, workers, trials=trials, confirm=False) as sweep:
        whole = time.perf_counter() - start
        found = sweep.record.trials
    generations = [list(each) for _, each in groupby(found, lambda trial: trial.generation)]
    # Trial 0 is evaluated twice at the start, and the second result is the one that is recorded.
    spans = [
        (min(one.started for one in each), max(one.finished for one in each))
        for each in generations
    ]
    lengths = [one.seconds for one in found]
    between = sum((later[0] - earlier[1]).total_seconds() for earlier, later in pairwise(spans))
    in_generations = sum((end - begun).total_seconds() for begun, end in spans)
    twice = found[0].seconds if workers > 1 else 0.0  # with one worker it is before the first start
    return Searched(
        whole,
        workers * (in_generations + between),
        sum(lengths) + twice,
        workers * in_generations - sum(lengths) - twice,
        workers * between,
        max(lengths),
        min(lengths),
    )


if __name__ == "__main__":
    main()
