"""How much faster is a sweep with more workers?

    python -m benchmarks.workers [--tiny] [--trials N]

The whole command, in a fresh folder each time, on trials that train for about a second each.
"""

import os
import tempfile
import time
from pathlib import Path

from benchmarks.command import SECOND, SWEEPS, begin, head, row, run

GOALS = {1: "", 2: "", 4: ">= 3.3"}


def main() -> None:
    arguments = begin(__doc__, trials=(96, "trials of each sweep"))
    trials = 2 if arguments.tiny else arguments.trials
    cores = (
        len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    )
    head(f"{trials} trials on {cores} cores: workers", "times faster")
    alone = None
    for workers, goal in list(GOALS.items())[: 1 if arguments.tiny else None]:
        seconds = whole(workers, trials, arguments.tiny)
        alone = alone or seconds
        row(f"{workers}, in {seconds:.1f} s", f"{alone / seconds:.2f}", goal)


def whole(workers: int, trials: int, tiny: bool) -> float:
    """Seconds of the command."""
    edits = ("training.epochs=1",) if tiny else SECOND
    command = [
        SWEEPS,
        "run",
        "digits",
        "--no-confirm",
        f"--trials={trials}",
        f"--workers={workers}",
    ]
    with tempfile.TemporaryDirectory() as folder:
        start = time.perf_counter()
        run([*command, *(f"--set={edit}" for edit in edits)], Path(folder))
        return time.perf_counter() - start


if __name__ == "__main__":
    main()
