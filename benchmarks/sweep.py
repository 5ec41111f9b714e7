"""What does a trial of a whole sweep cost, beside the same sweep written by hand?

    python -m benchmarks.sweep [--tiny] [--trials N] [--peers N]

The digits net with every epoch's losses and accuracies on MLflow, on an SQLite file, on 4 cores.
Ours is the command `sweeps run`, from its start to its end, reports included, divided by its
trials. The peers have fewer trials, after first ones that are not counted: their start costs them
nothing. Peers that are not installed are said and left out.
"""

import sys
import tempfile
import time
from importlib import import_module
from pathlib import Path

from benchmarks.cases import Case
from benchmarks.command import SWEEPS, begin, head, in_child, row, run

CASE = Case(name="digits 64-64-10")
CORES = 4
GOAL = 1 / 20
PEERS = {
    "Optuna + PyTorch + MLflow, n_jobs=1": ("optuna_by_hand", 1),
    f"Optuna + PyTorch + MLflow, n_jobs={CORES}": ("optuna_by_hand", CORES),
    "Ray Tune + PyTorch, its MLflow callback": ("ray_tune", CORES),
}


def main() -> None:
    arguments = begin(__doc__, trials=(1_000, "trials of ours"), peers=(40, "trials of each peer"))
    case = CASE.made_tiny() if arguments.tiny else CASE
    many, few = (2, 2) if arguments.tiny else (arguments.trials, arguments.peers)
    head("sweep", "ms per trial", "goal")
    ours = {trials: whole(case, trials) for trials in dict.fromkeys((many, few))}
    for trials, seconds in ours.items():
        row(f"sweeps run, {trials:,} trials", f"{1000 * seconds:.1f}")
    by_hand = []
    for name, (module, jobs) in PEERS.items() if not arguments.tiny else ():
        try:
            seconds = in_child(measure, module, case, few, jobs)
        except ImportError as error:
            row(name, "left out", f"no {error.name}")
            continue
        row(f"{name}, {few:,} trials", f"{1000 * seconds:.1f}")
        if module == "optuna_by_hand":
            by_hand.append(seconds)
    if by_hand:
        head("ratio")
        row(
            f"{many:,} trials of ours against the better by hand",
            f"{ours[many] / min(by_hand):.4f}",
            f"<= {GOAL:.4f}",
        )
        row(
            f"{few:,} trials of ours against it, our start included",
            f"{ours[few] / min(by_hand):.4f}",
        )


def whole(case: Case, trials: int) -> float:
    """Seconds per trial of the command in a fresh folder."""
    command = [SWEEPS, "run", "digits", "--no-confirm", f"--trials={trials}", f"--workers={CORES}"]
    command.append(f"--set=training.epochs={case.epochs}")
    with tempfile.TemporaryDirectory() as folder:
        start = time.perf_counter()
        run(command, Path(folder))
        return (time.perf_counter() - start) / trials


def measure(module: str, case: Case, trials: int, jobs: int) -> float:
    """Seconds per trial of a peer, in a fresh folder. Raises ImportError if it is missing."""
    sys.stdout = sys.stderr  # a table is printed there
    with tempfile.TemporaryDirectory() as folder:
        seconds: float = import_module(f"benchmarks.peers.{module}").seconds_a_trial(
            case, Path(folder), trials, jobs
        )
        return seconds


if __name__ == "__main__":
    main()
