"""How many verdicts change once both sides are trained as well as one knows how?

    python -m benchmarks.verdicts [--tiny] [--tables FOLDER] [--divisions N] [--workers N]
                                  [--rows N]

The same rows are judged twice: as the catalog and `sweeps new` do it by default, and as they did
before the learning rate was tuned, with one that is fixed and the last epoch of each network. Each
division of the rows into training, validation and test is another one. Of a table with more than
so many rows as many are drawn.
"""

import tempfile
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from statistics import mean

from benchmarks.command import begin
from benchmarks.fairness import OPTIONS, head, tables_and_pool
from benchmarks.in_process import searched
from experiments import experiment_file
from experiments.spec import Experiment
from sweeps.confirmation import confirmed

FIXED = ("training.learning_rate=0.001", "training.keep=last", "training.epochs=30")
BEFORE = {
    "digits_noisy": ("training.epochs=100", "training.batch_size=32"),
    "iris": ("training.epochs=100", "training.batch_size=32", "training.learning_rate=0.01"),
    "spiral": (
        *("training.epochs=200", "training.batch_size=full"),
        *("training.learning_rate=0.02", "training.decay=5e-7"),
    ),
    "wine": ("training.epochs=60", "training.batch_size=32"),
}
"""How the catalog trained before; all others had the default batch or that of `sweeps new`."""
TINY = ("training.epochs=2", "sweep.baseline=2", "sweep.trials=4", "confirm.seeds=2")


@dataclass(frozen=True, kw_only=True)
class Found:
    """A verdict's word, and the gain in percentage points on the test rows."""

    word: str
    gain: float


def judged(experiment: Experiment, edits: Sequence[str], number: int) -> Found:
    """The verdict on the division of this number."""
    own = [f"{key}={number}" for key in ("data.split.seed", "training.seed", "sweep.seed")]
    experiment = experiment_file.load(experiment, [*own, "confirm.references=false", *edits])
    with (
        tempfile.TemporaryDirectory() as folder,
        searched(experiment, Path(folder)) as study,
    ):
        reports = study.place.reports_of(experiment.name)
        verdict = confirmed(study.study, study.data, study.means, open_test=True, folder=reports)
    assert verdict is not None
    assert verdict.gain is not None
    return Found(word=verdict.word, gain=100 * verdict.gain.mean)


def row(name: str, before: Sequence[Found], fair: Sequence[Found]) -> str:
    """A table's verdicts by division, how many differ, and the mean gains."""
    changed = sum(one.word != other.word for one, other in zip(before, fair, strict=True))
    cells = [name]
    for found in (before, fair):
        cells += [", ".join(one.word for one in found), f"{mean(one.gain for one in found):+.1f}"]
    return f"| {' | '.join(cells)} | {changed} of {len(fair)} |"


def main() -> None:
    arguments = begin(__doc__, **OPTIONS, rows=(2_000, "of a table at most"))
    divisions, edits = (1, TINY) if arguments.tiny else (arguments.divisions, ())
    pairs: Counter[tuple[str, str]] = Counter()
    head("table", "before", "gain", "fair", "gain", "changed")
    with tables_and_pool(arguments, arguments.rows) as (tables, pool):
        for name, experiment in tables.items():
            old = (*FIXED, *BEFORE.get(name, ()), *edits)
            before, fair = (
                list(pool.map(partial(judged, experiment, each), range(divisions)))
                for each in (old, edits)
            )
            pairs.update((a.word, b.word) for a, b in zip(before, fair, strict=True))
            print(row(name, before, fair), flush=True)
    head("before", "fair", "divisions")
    for (before_word, fair_word), count in sorted(pairs.items()):
        print(f"| {before_word} | {fair_word} | {count} |", flush=True)


if __name__ == "__main__":
    main()
