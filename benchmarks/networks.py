"""How long does a trial take, beside what else one would use?

    python -m benchmarks.networks [--tiny] [--rounds N]

For each network nnreg.train and its peers take turns on one core, one thread each, in float32. A
ratio below 1 means that nnreg.train takes less time. It tunes and keeps the best epoch, as a sweep
does: `compiled` is the same with the loops of the extra `fast`, `fixed` with one learning rate and
the last epoch. `gemms` are the matrix products of nnreg.train alone. Peers that are not installed
are said and left out: pip install -e '.[bench]'.
"""

from dataclasses import replace

from benchmarks.cases import Case
from benchmarks.command import begin
from benchmarks.side_by_side import alternate, spread

DIGITS = Case(name="digits 64-64-10")
WIDE = Case(name="digits 64-256-10", hidden=256, epochs=10)
MNIST = Case(name="made 784-128-10", data="made", hidden=128, rows=10_000, val_rows=2_000, epochs=2)

Goals = dict[tuple[str, str], float]

GOALS: list[tuple[Case, Goals]] = [
    (
        DIGITS,
        {
            ("nnreg", "fixed"): 1.05,
            ("nnreg", "jax"): 1.0,
            ("nnreg", "torch"): 1 / 15,
            ("nnreg", "sklearn"): 1 / 6,
            ("nnreg", "gemms"): 1.65,
            ("nnreg", "numpy"): 1.0,
            ("compiled", "nnreg"): 1 / 1.35,
            ("compiled", "jax"): 0.85,
        },
    ),
    (
        replace(DIGITS, name="digits 64-64-10, one lane", lanes=1),
        {("nnreg", "numpy"): 1.0, ("compiled", "nnreg"): 1 / 1.35},
    ),
    (
        WIDE,
        {("nnreg", "jax"): 0.9, ("compiled", "nnreg"): 1 / 1.2, ("compiled", "jax"): 0.75},
    ),
    (
        MNIST,
        {("nnreg", "jax"): 1.1, ("compiled", "nnreg"): 1 / 1.1, ("compiled", "jax"): 0.9},
    ),
]
"""Each network with the greatest ratio wanted of one side to another."""

SLOW = {"fixed", "jax", "torch", "gemms", "compiled"}
"""Sides that are left out of a tiny run, for what they import and compile."""


def main() -> None:
    arguments = begin(__doc__, rounds=(7, "turns of each side"))
    said = set()
    for case, goals in GOALS[: 1 if arguments.tiny else None]:
        measured = case.made_tiny() if arguments.tiny else case
        if arguments.tiny:
            goals = {pair: goal for pair, goal in goals.items() if not SLOW & set(pair)}
        names = list(dict.fromkeys(name for pair in goals for name in pair))
        timings = alternate(names, measured.as_dict(), 1 if arguments.tiny else arguments.rounds)
        said |= {f"{name} is left out: {reason}" for name, reason in timings.absent.items()}
        said |= {version for version in timings.versions.values() if version}
        times = (f"{name} {timings.milliseconds(name):.2f}" for name in timings.seconds)
        print(f"\n{case.name}, {measured.lanes} trials, ms per trial: {', '.join(times)}")
        print(
            f"  {'':10s} {'against':10s} ratio: {'least':>6s} {'median':>8s} {'greatest':>8s}"
            f" {'goal':>8s}"
        )
        for (name, other), goal in goals.items():
            if {name, other} <= set(timings.seconds):
                ratios = spread(timings.ratios(name, other))
                print(f"  {name:10s} {other:10s}     {ratios} {goal:8.3f}")
    print("", *sorted(said), sep="\n")


if __name__ == "__main__":
    main()
