"""How long does one wait for the command?

    python -m benchmarks.startup [--tiny] [--rounds N]

The medians of several runs in fresh folders, each a process of its own: what a new user meets.
"""

import statistics
import tempfile
import time
from pathlib import Path

from benchmarks.command import SWEEPS, begin, head, row, run

GOALS = {("--help",): 0.3, ("run", "digits", "--trials", "1", "--no-confirm"): 6.0}
"""Seconds, by what is asked of `sweeps`."""


def main() -> None:
    arguments = begin(__doc__, rounds=(7, "runs of each"))
    head("command", "median")
    for asked, goal in list(GOALS.items())[: 1 if arguments.tiny else None]:
        seconds = [once([SWEEPS, *asked]) for _ in range(1 if arguments.tiny else arguments.rounds)]
        row(f"sweeps {' '.join(asked)}", f"{statistics.median(seconds):.2f} s", f"< {goal:g} s")


def once(command: list[str]) -> float:
    with tempfile.TemporaryDirectory() as folder:
        start = time.perf_counter()
        run(command, Path(folder))
        return time.perf_counter() - start


if __name__ == "__main__":
    main()
