"""The coverage: how often the interval of a difference misses the truth, for real networks whose
true difference is known.

    python -m benchmarks.coverage [--tiny] [--samples N]

One training set, two settings, hundreds of seeds, tens of thousands of rows: their mean is the
truth. From these some seeds and some rows are drawn again and again, as a confirmation sees them,
and the interval is made of each draw.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from benchmarks.command import begin
from nnreg import Lambdas, Split, TrainConfig, losses_and_hits, train
from sweeps.confirmation.crossed import Scores, Weighting, estimate

TRAINED, GROUP, SEEDS = 120, 5, 10
TEST_ROWS = (30, 150, 360)
LEVELS = (0.95, 0.975)
THIRDS, RARE = (1 / 3, 1 / 3, 1 / 3), (0.9, 0.1)
HELPFUL, TOO_MUCH, FEEBLE = (Lambdas(weight_l2=strength) for strength in (0.02, 0.25, 3e-4))
CONFIG = TrainConfig(hidden=(32,), epochs=60, batch_size=32, learning_rate=3e-3)
LANES = 20


@dataclass(frozen=True, kw_only=True)
class Population:
    """Differences of hits and of losses, (seeds, rows), between a setting and the baseline, and the
    class of each row; rows stand in groups of `group`.
    """

    hits: Scores
    losses: Scores
    y: NDArray[np.int64]
    group: int

    def truth(self, scores: Scores, balanced: bool) -> float:
        return float(Weighting(self.y if balanced else None).means(scores).mean())

    def rows(self, count: int, rng: np.random.Generator) -> NDArray[np.int64]:
        """So many rows: whole groups, or stratified by class."""
        if self.group > 1:
            groups = rng.choice(len(self.y) // self.group, count // self.group, replace=False)
            return (groups[:, np.newaxis] * self.group + np.arange(self.group)).ravel()
        classes = [np.flatnonzero(self.y == one) for one in np.unique(self.y)]
        return np.concatenate(
            [
                rng.choice(each, round(count * len(each) / len(self.y)), replace=False)
                for each in classes
            ]
        )


def population(
    lambdas: Lambdas, shares: tuple[float, ...], group: int, seeds: int, rows: int
) -> Population:
    """Classes that overlap, in 10 dimensions; rows of a group share their label and most of what is
    random in them.
    """
    rng = np.random.default_rng(len(shares))
    centres = rng.standard_normal((len(shares), 10)) * 2 / np.sqrt(10)

    def drawn(count: int, group: int) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
        y = np.repeat(rng.choice(len(shares), count // group, p=shares), group)
        shared = np.repeat(rng.standard_normal((count // group, 10)), group, axis=0)
        x = centres[y] + (
            shared if group == 1 else 0.9 * shared + 0.45 * rng.standard_normal(shared.shape)
        )
        return x.astype(np.float32), y

    x, y = drawn(rows, group)
    split = Split(*drawn(TRAINED, 1), x[:100], y[:100])

    def answered(setting: Lambdas) -> tuple[Scores, Scores]:
        parts = [
            train(split, CONFIG, [setting] * LANES, seeds=range(first, first + LANES))
            for first in range(0, seeds, LANES)
        ]
        found = [losses_and_hits(x, y, [fit.parameters for fit in fits]) for fits in parts]
        return np.concatenate([losses for losses, _ in found]), np.concatenate(
            [hits for _, hits in found]
        ).astype(np.float64)

    (losses, hits), (baseline_losses, baseline_hits) = answered(lambdas), answered(Lambdas())
    return Population(hits=hits - baseline_hits, losses=baseline_losses - losses, y=y, group=group)


def missed(people: Population, measure: str, rows: int, samples: int) -> tuple[float, list[float]]:
    """The mean squared standard error against the true variance of the mean, and per level the
    share of intervals that miss.
    """
    counted, balanced = measure != "loss", measure == "balanced accuracy"
    scores = people.hits if counted else people.losses
    truth, rng = people.truth(scores, balanced), np.random.default_rng(0)
    groups = np.arange(len(people.y)) // people.group
    means, variances, misses = [], [], np.zeros(len(LEVELS))
    for _ in range(samples):
        seeds, chosen = rng.choice(len(scores), SEEDS, replace=False), people.rows(rows, rng)
        weighting = Weighting(
            people.y[chosen] if balanced else None, groups[chosen] if people.group > 1 else None
        )
        found = estimate(scores[np.ix_(seeds, chosen)], weighting, counted=counted)
        means.append(found.mean)
        variances.append(found.error**2)
        intervals = [found.interval(level) for level in LEVELS]
        misses += [not interval.low <= truth <= interval.high for interval in intervals]
    return float(np.mean(variances) / np.var(means)), list(misses / samples)


CASES: tuple[tuple[str, Lambdas, tuple[float, ...], int, str], ...] = (
    ("weight_l2 = 0.02, which helps", HELPFUL, THIRDS, 1, "accuracy"),
    ("weight_l2 = 0.25, which is as good as none", TOO_MUCH, THIRDS, 1, "accuracy"),
    ("weight_l2 = 3e-4, hardly felt", FEEBLE, THIRDS, 1, "accuracy"),
    ("weight_l2 = 0.02, classes 90:10", HELPFUL, RARE, 1, "balanced accuracy"),
    ("weight_l2 = 0.02, groups of 5", HELPFUL, THIRDS, GROUP, "accuracy"),
    ("weight_l2 = 0.02", HELPFUL, THIRDS, 1, "loss"),
    ("weight_l2 = 0.02, groups of 5", HELPFUL, THIRDS, GROUP, "loss"),
)


def main() -> None:
    arguments = begin(__doc__, samples=(4_000, "draws of each"))
    samples, seeds, rows = (20, 20, 2_000) if arguments.tiny else (arguments.samples, 300, 20_000)
    head = [f"{count} rows: variance | missed at 5 % | at 2.5 %" for count in TEST_ROWS]
    print(
        f"\n| difference of | setting | truth | {' | '.join(head)}"
        f" |\n{'|---' * (3 + 3 * len(TEST_ROWS))}|",
        flush=True,
    )
    for name, lambdas, shares, group, measure in CASES:
        people = population(lambdas, shares, group, seeds, rows)
        cells = []
        for count in TEST_ROWS:
            ratio, shares_missed = missed(people, measure, count, samples)
            cells += [f"{ratio:.2f}", *(f"{100 * share:.1f}" for share in shares_missed)]
        truth = people.truth(
            people.losses if measure == "loss" else people.hits, measure == "balanced accuracy"
        )
        print(f"| {measure} | {name} | {truth:+.4f} | {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    main()
