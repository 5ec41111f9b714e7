"""What do folds cost?

    python -m benchmarks.folds [--tiny] [--runs N] [--tables FOLDER]

CPU milliseconds per trial, proposals and storage included, of the searches of `benchmarks.regret`:
500 rows, a hidden layer of 32, 30 epochs, on one core, with one division, with 5 folds, and with
5 x 5 folds. First in NumPy alone, then with the loops that numba compiles.
"""

import tempfile
from pathlib import Path

import numpy as np

from benchmarks.command import begin
from benchmarks.fairness import head
from benchmarks.in_process import searched
from benchmarks.regret import WAYS, Kind, kinds
from nnreg import use_compiled

TINY = {"trials": 8, "baseline": 4, "generation": 4}


def main() -> None:
    arguments = begin(
        __doc__, runs=(3, "of each kind of rows"), tables=("", "a folder of tables to add")
    )
    found = kinds(arguments.tables)
    if arguments.tiny:
        found = {"spiral": found["spiral"]}
    runs = 1 if arguments.tiny else arguments.runs
    asked = [(kind, number) for number in range(runs) for kind in found.values()]
    for loops in ("NumPy", "compiled"):
        if loops == "compiled" and (reason := use_compiled()):
            print(f"\ncompiled loops are left out: {reason}")
            break
        # (runs, ways)
        seconds = np.array(
            [
                [_per_trial(kind, number, way, arguments.tiny) for way in WAYS]
                for kind, number in asked
            ]
        )
        head(loops, "ms per trial", "times the hold-out's", "smallest", "largest")
        for way, each, ratios in zip(WAYS, seconds.T, (seconds / seconds[:, :1]).T, strict=True):
            shown = map("{:.2f}".format, np.percentile(ratios, [50, 0, 100]))
            print(f"| {way} | {1_000 * np.median(each):.1f} | {' | '.join(shown)} |", flush=True)


def _per_trial(kind: Kind, number: int, way: str, tiny: bool) -> float:
    with tempfile.TemporaryDirectory() as name:
        experiment = kind.experiment(number, Path(name), way, TINY if tiny else {})
        with searched(experiment, Path(name)) as run:
            return run.seconds / experiment.sweep.trials


if __name__ == "__main__":
    main()
