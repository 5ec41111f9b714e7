"""How does the time of a trial depend on the lanes that are trained together?

    python -m benchmarks.lanes [--tiny] [--rounds N]

Trials a millisecond by lanes, on one core, and the share of the time that the matrix products alone
would take.
"""

import statistics
from dataclasses import replace

from benchmarks.cases import Case
from benchmarks.command import begin
from benchmarks.networks import DIGITS, MNIST, WIDE
from benchmarks.side_by_side import alternate

LANES = (1, 2, 4, 8, 16, 32)


def main() -> None:
    arguments = begin(__doc__, rounds=(5, "turns of each side"))
    for case in (
        (DIGITS,) if arguments.tiny else (DIGITS, replace(WIDE, epochs=5), replace(MNIST, epochs=1))
    ):
        measure(
            case,
            LANES[:1] if arguments.tiny else LANES,
            arguments.tiny,
            1 if arguments.tiny else arguments.rounds,
        )


def measure(case: Case, lanes: tuple[int, ...], tiny: bool, rounds: int) -> None:
    print(
        f"\n{case.name}, {case.epochs} epochs\n  {'lanes':>5s} {'ms per trial':>12s}"
        f" {'trials/ms':>10s} {'products':>9s}"
    )
    for count in lanes:
        measured = replace(case.made_tiny() if tiny else case, lanes=count)
        timings = alternate(["nnreg", "gemms"], measured.as_dict(), rounds)
        share = statistics.median(timings.ratios("gemms", "nnreg"))
        one = timings.milliseconds("nnreg")
        print(f"  {count:5d} {one:12.2f} {1 / one:10.4f} {share:9.0%}", flush=True)


if __name__ == "__main__":
    main()
