"""How long does a trial take, beside what else one would use?

    python -m benchmarks.networks [--tiny] [--rounds N]

For each network nnreg.train and its peers take turns on one core, one thread each, in float32. A
ratio below 1 means that nnreg.train takes less time. It tunes and keeps the best epoch, as a sweep
does: `fixed` is the same with one learning rate and the last epoch. `gemms` are the matrix products
of nnreg.train alone. Peers that are not installed are said and left out: pip install -e '.[bench]'.
"""

from dataclasses import replace

from benchmarks.cases import Case
from benchmarks.command import begin
from benchmarks.side_by_side import alternate, spread

DIGITS = Case(name="digits 64-64-10")
WIDE = Case(name="digits 64-256-10", hidden=256, epochs=10)
MNIST = Case(name="made 784-128-10", data="made", hidden=128, rows=10_000, val_rows=2_000, epochs=2)

GOALS: list[tuple[Case, dict[str, float]]] = [
    (
        DIGITS,
        {"fixed": 1.05, "jax": 1.0, "torch": 1 / 15, "sklearn": 1 / 6, "gemms": 1.65, "numpy": 1.0},
    ),
    (replace(DIGITS, name="digits 64-64-10, one lane", lanes=1), {"numpy": 1.0}),
    (WIDE, {"jax": 0.9}),
    (MNIST, {"jax": 1.1}),
]
"""Each network with the greatest ratio wanted of nnreg.train to a peer."""


TINY = ("sklearn", "numpy")
"""The peers that are quickly there."""


def main() -> None:
    arguments = begin(__doc__, rounds=(7, "turns of each side"))
    said = set()
    for case, goals in GOALS[: 1 if arguments.tiny else None]:
        measured = case.made_tiny() if arguments.tiny else case
        goals = {name: goals[name] for name in TINY} if arguments.tiny else goals
        timings = alternate(
            ["nnreg", *goals], measured.as_dict(), 1 if arguments.tiny else arguments.rounds
        )
        said |= {f"{name} is left out: {reason}" for name, reason in timings.absent.items()}
        said |= {version for version in timings.versions.values() if version}
        print(
            f"\n{case.name}, {measured.lanes} trials: nnreg.train"
            f" {timings.milliseconds('nnreg'):.2f} ms per trial"
        )
        print(
            f"  {'against':10s} {'ms per trial':>12s}   ratio: {'least':>6s} {'median':>8s}"
            f" {'greatest':>8s} {'goal':>8s}"
        )
        for name, goal in goals.items():
            if name in timings.seconds:
                ratios = spread(timings.ratios("nnreg", name))
                print(
                    f"  {name:10s} {timings.milliseconds(name):12.2f}        {ratios} {goal:8.3f}"
                )
    print("", *sorted(said), sep="\n")


if __name__ == "__main__":
    main()
