"""The outer verdict: how often its interval misses the truth, over tables and their divisions.

    python -m benchmarks.outer [--tiny] [--tables N] [--saved FOLDER]

Every table has its own rows and its own division into five folds. For each fold a stand-in for the
procedure draws settings with penalties and without, chooses the best of each on inner rows, trains
both again with five seeds, and the fold's rows judge. The truth is the mean difference on 4,000
fresh rows, over all folds of all tables. FOLDER keeps the differences.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np

from benchmarks.command import begin
from benchmarks.simulated import Inputs, clouds, noise, quadrants, two_matter
from nnreg import Fit, Lambdas, Split, TrainConfig, losses_and_hits, train
from sweeps.confirmation.crossed import LEVEL, Estimate, Rows, Scores, Weighting, estimate
from sweeps.confirmation.pooled import between, pooled

FOLDS, SEEDS, FRESH = 5, 5, 4_000
CONFIG = TrainConfig(hidden=(12,), epochs=60, batch_size=None)
ACCURACY, BALANCED, LOSS = "val_accuracy", "balanced_val_accuracy", "val_data_loss"


def dealt(y: Rows, group: int, parts: int, rng: np.random.Generator) -> Rows:
    """Deal rows, or whole groups of rows that follow each other, to parts, class by class."""
    part, order = np.empty(len(y) // group, dtype=np.int64), rng.permutation(len(y) // group)
    part[order[np.argsort(y[::group][order], kind="stable")]] = np.arange(len(part)) % parts
    return part.repeat(group)


@dataclass(frozen=True, kw_only=True)
class Case:
    """Tables of so many rows, and a procedure: settings are chosen on `inner` folds of the training
    rows (1: on a quarter of them); `alike` if all outer folds try the same settings.
    """

    name: str
    draw: Callable[[np.random.Generator, int], tuple[Inputs, Rows]]
    rows: int
    objective: str = ACCURACY
    group: int = 1
    inner: int = 1
    settings: tuple[int, int] = (12, 6)  # with penalties, and without
    alike: bool = False
    part: float = 1.0  # of the tables that are asked for

    def weighting(self, y: Rows) -> Weighting:
        groups = np.arange(len(y)) // self.group if self.group > 1 else None
        return Weighting(y if self.objective == BALANCED else None, groups)

    def networks(self, x: Inputs, y: Rows, number: int, fold: int) -> list[list[Fit]]:
        """Return, for each inner split, the fits of the best setting of each arm."""
        rng = np.random.default_rng([number, fold, self.rows])
        tried = np.random.default_rng(number) if self.alike else rng
        penalised, baseline = self.settings
        strengths = 10 ** tried.uniform(-4, -1, (penalised, 2))
        strengths[tried.integers(3, size=(penalised, 1)) == np.arange(2)] = 0  # one is off, or none
        lambdas = [Lambdas(weight_l1=float(l1), weight_l2=float(l2)) for l1, l2 in strengths]
        lambdas += [Lambdas()] * baseline
        rates = [*10 ** tried.uniform(-2.5, -1, penalised), *np.geomspace(10**-2.5, 0.1, baseline)]
        part = dealt(y, self.group, 4 if self.inner == 1 else self.inner, rng)
        splits = [
            Split(x[part != one], y[part != one], x[part == one], y[part == one])
            for one in range(self.inner)
        ]

        def fits(split: Split, chosen: Sequence[int], seeds: Sequence[int]) -> list[Fit]:
            return train(
                split,
                CONFIG,
                [lambdas[one] for one in chosen for _ in seeds],
                [*seeds] * len(chosen),
                learning_rates=[float(rates[one]) for one in chosen for _ in seeds],
                keep=self.objective,
                together=len(seeds),
            )

        values, first = np.zeros(len(lambdas)), number * (1 + SEEDS)
        for split in splits:
            found = fits(split, range(len(lambdas)), [first])
            values += [getattr(fit, self.objective)[fit.best_epoch - 1] for fit in found]
        values *= -1 if self.objective == LOSS else 1
        best = [int(values[:penalised].argmax()), penalised + int(values[penalised:].argmax())]
        return [fits(split, best, range(first + 1, first + 1 + SEEDS)) for split in splits]

    def gains(self, networks: list[list[Fit]], x: Inputs, y: Rows) -> Scores:
        """Return by how much the penalised arm is better, (seeds, rows)."""
        found = [losses_and_hits(x, y, [fit.parameters for fit in fits]) for fits in networks]
        losses, hits = (np.mean(each, axis=0) for each in zip(*found, strict=True))
        better = -losses if self.objective == LOSS else hits
        return np.asarray(better[:SEEDS] - better[SEEDS:])

    def table(self, number: int) -> tuple[Scores, Rows, list[float]]:
        """Return the gains (seeds, rows) fold by fold, the class of each row, and the mean gain of
        each fold's networks on fresh rows.
        """
        rng = np.random.default_rng([number, self.rows])
        (x, y), (fresh, truth) = self.draw(rng, self.rows), self.draw(rng, FRESH)
        fold = dealt(y, self.group, FOLDS, rng)
        gains, means = [], []
        for one in range(FOLDS):
            networks = self.networks(x[fold != one], y[fold != one], number, one)
            gains.append(self.gains(networks, x[fold == one], y[fold == one]))
            of_fresh = self.gains(networks, fresh, truth)
            means.append(float(self.weighting(truth).means(of_fresh).mean()))
        return np.concatenate(gains, axis=1), y[np.argsort(fold, kind="stable")], means

    def tables(self, count: int, saved: str) -> tuple[Scores, Rows, Scores]:
        """Return what so many tables give, from a file of the folder `saved` if it is there."""
        file = Path(saved) / f"{self.name.replace(' ', '_')}-{self.rows}-{count}.npz"
        if saved and file.exists():
            with np.load(file) as found:
                return found["scores"].astype(np.float64), found["y"], found["truth"]
        scores, y, truth = map(np.array, zip(*map(self.table, range(count)), strict=True))
        if saved:
            np.savez_compressed(file, scores=scores.astype(np.float32), y=y, truth=truth)
        return scores, y, truth


MATTER = Case(name="two inputs matter", draw=partial(two_matter, features=10), rows=300)
GROUPS = Case(name="clouds in groups of 5", draw=partial(clouds, group=5), rows=300, group=5)
SMALL = (
    Case(name="labels are noise", draw=noise, rows=300),
    Case(name="clouds", draw=clouds, rows=300),
    Case(name="quadrants", draw=quadrants, rows=300),
    Case(
        name="clouds 85:15", draw=partial(clouds, shares=(0.85, 0.15)), rows=300, objective=BALANCED
    ),
    GROUPS,
    Case(name="clouds, by loss", draw=clouds, rows=300, objective=LOSS),
)
LARGE = [replace(case, rows=1_000, part=3.0 if case.draw is quadrants else 0.5) for case in SMALL]
PLANTED = (MATTER, replace(MATTER, draw=partial(two_matter, features=20), rows=1_000))
ALIKE = replace(MATTER, name=f"{MATTER.name}, alike", alike=True)
THOROUGH = replace(
    SMALL[1], name="clouds, thorough", inner=5, settings=(24, 8), alike=True, part=1 / 3
)
CASES = (*PLANTED, *SMALL, ALIKE, THOROUGH, *LARGE)


def candidates(folds: Sequence[Scores], case: Case, y: Rows) -> dict[str, Estimate]:
    counted, weighting = case.objective != LOSS, case.weighting(y)
    classes = None if weighting.y is None else np.split(y, FOLDS)
    groups = None if weighting.groups is None else np.split(weighting.groups, FOLDS)
    rows = estimate(np.concatenate(folds, axis=1), weighting, counted=counted)
    of_folds = between(folds, classes)
    of_rows, less, corrected = rows.error**2, FOLDS - 1, 1 + FOLDS / (FOLDS - 1)
    excess = corrected * max(0.0, of_folds - of_rows)
    freedom = (of_rows + excess) ** 2 / (excess**2 / less + of_rows**2 / rows.freedom)

    def student(variance: float, freedom: float) -> Estimate:
        return replace(rows, error=math.sqrt(variance), freedom=freedom, skewness=0.0)

    return {
        "first fold": estimate(folds[0], case.weighting(y[: len(y) // FOLDS]), counted=counted),
        "rows": rows,
        "folds": student(of_folds, less),
        "Nadeau-Bengio": student(corrected * of_folds, less),
        "rows + excess": student(of_rows + excess, freedom),
        "pooled": pooled(folds, classes, groups, counted=counted),
    }


def report(case: Case, count: int, saved: str) -> list[str]:
    """The cells of a case: for each candidate, of 100 intervals how many miss the truth, their mean
    width in points, and of 100 how many are above 0.
    """
    scores, classes, truths = case.tables(count, saved)
    folds = [np.split(table, FOLDS, axis=1) for table in scores]
    found = [candidates(one, case, y) for one, y in zip(folds, classes, strict=True)]
    means, errors = np.array([(one["rows"].mean, one["rows"].error) for one in found]).T
    truth, ratio = truths.mean(), means.var() / np.square(errors).mean()
    cells = [case.name, str(case.rows), str(count), f"{100 * truth:+.2f}", f"{ratio:.2f}"]
    for name in found[0]:
        spans = [one[name].interval(LEVEL) for one in found]
        missed = np.mean([not span.low <= truth <= span.high for span in spans])
        width = np.mean([span.high - span.low for span in spans])
        better = np.mean([span.low > 0 for span in spans])
        cells.append(f"{100 * missed:.1f} / {100 * width:.1f} / {100 * better:.0f}")
    return cells


def main() -> None:
    chosen = begin(__doc__, tables=(400, "tables of 300 rows"), saved=("", "folder"))
    head = ["tables", "rows", "number", "true gain", "variance", "first fold", "rows", "folds"]
    head += ["Nadeau-Bengio", "rows + excess", "pooled"]
    print(f"\n| {' | '.join(head)} |\n{'|---' * len(head)}|", flush=True)
    for case in CASES[:2] if chosen.tiny else CASES:
        count = 4 if chosen.tiny else round(chosen.tables * case.part)
        print(f"| {' | '.join(report(case, count, chosen.saved))} |", flush=True)


if __name__ == "__main__":
    main()
