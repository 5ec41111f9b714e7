"""The calibration: how often a verdict claims what is not so, and how often it finds what is.

    python -m benchmarks.calibration [--tiny] [--studies N] [--planted N] [--workers N]

Studies of simulated data whose labels are independent of the inputs: no setting is truly more
accurate than another, so every "better" and every "worse" is false. Each is searched, confirmed
and tested as `sweeps run` does it, in a folder of its own, without MLflow and reports. Then a
comparison is forced: most such studies recommend the baseline, and so compare nothing; here their
best other setting is tested as if it were recommended. Last come studies of `digits_noisy`, where
regularization is better.
"""

import functools
import tempfile
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import closing
from dataclasses import dataclass, field
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats

from benchmarks.command import begin
from experiments import datasets, experiment_file
from experiments.datasets import Dataset, Sealed
from experiments.evaluation import EvaluationSpec, stored
from experiments.spec import Experiment
from experiments.verdict import BASELINE, BETTER, CANDIDATE, WINNER, WORSE, Comparison, Verdict
from nnreg import LAMBDA_NAMES, Lambdas
from sweeps.confirmation import Means, choice, confirmed, tests
from sweeps.confirmation.choice import Choice
from sweeps.confirmation.replicates import Replicates
from sweeps.executors.local import InlineExecutor
from sweeps.executors.resources import lanes_per_task
from sweeps.interrupts import Interrupts
from sweeps.search.driver import drive
from sweeps.search.study import Study
from sweeps.workspace import workspace

TRIALS = 48
"""Of a null's study: three generations. Those of `digits_noisy` have the default, 100."""

FALSE = (BETTER, WORSE)
CERTAINTY = 0.99
"""A table's limit is the most that a rate of 5 % makes with this probability."""


@dataclass(frozen=True, kw_only=True)
class Null:
    """Data in which nothing can be learned, and what is made of it. `shares` are those of the
    classes; with `group` rows stand together in groups of so many, which share a label and most of
    their inputs.
    """

    name: str
    shares: tuple[float, ...]
    features: int
    rows: int = 450
    group: int = 1
    training: dict[str, Any] = field(default_factory=dict)
    lambdas: dict[str, float] = field(default_factory=dict)
    objective: str = "val_accuracy"
    part: float = 1.0  # of the studies that are asked for

    def experiment(
        self, number: int, folder: Path, sweep: Mapping[str, Any], confirm: Mapping[str, Any]
    ) -> Experiment:
        """The study of this number: its rows are written into the folder."""
        rng = np.random.default_rng([number, self.features, self.group])
        units = self.rows // self.group
        labels = np.repeat(
            np.arange(len(self.shares)), np.round(np.array(self.shares) * units).astype(int)
        )
        inputs = np.repeat(rng.standard_normal((len(labels), self.features)), self.group, axis=0)
        if self.group > 1:
            inputs += 0.5 * rng.standard_normal(inputs.shape)
        frame = pd.DataFrame(inputs, columns=[f"x{index}" for index in range(self.features)])
        frame["label"] = np.repeat(labels, self.group)
        split: dict[str, Any] = {"val": 1 / 3, "test": 1 / 3, "seed": number}
        if self.group > 1:
            frame["unit"] = [f"unit {row // self.group}" for row in range(len(frame))]
            split["group"] = "unit"
        frame.to_parquet(folder / "rows.parquet")
        return Experiment.model_validate(
            {
                "name": "null",
                "data": {"source": str(folder / "rows.parquet"), "target": "label", "split": split},
                "training": {"seed": number, **self.training},
                "lambdas": self.lambdas,
                "sweep": {"seed": number, "objective": self.objective, **sweep},
                "confirm": dict(confirm),
            }
        )


THIRDS = (1 / 3, 1 / 3, 1 / 3)
BATCHES = {"epochs": 20, "batch_size": 32}
OFF = dict.fromkeys(LAMBDA_NAMES, 5e-10)
NULLS = (
    Null(
        name="(a) 3 classes, 20 features, minibatches", shares=THIRDS, features=20, training=BATCHES
    ),
    Null(
        name="(b) 2 classes, 6 features, full batch",
        shares=(0.5, 0.5),
        features=6,
        training={"epochs": 60, "batch_size": "full", "learning_rate": 0.01},
    ),
    Null(
        name="(c) as (a), all lambdas fixed at 5e-10",
        shares=THIRDS,
        features=20,
        training=BATCHES,
        lambdas=OFF,
    ),
    Null(
        name="(d) as (a), 80:15:5, balanced accuracy",
        shares=(0.8, 0.15, 0.05),
        features=20,
        rows=460,
        training=BATCHES,
        objective="balanced_val_accuracy",
        part=0.4,
    ),
    Null(
        name="(e) as (a), in groups of 5",
        shares=THIRDS,
        features=20,
        group=5,
        training=BATCHES,
        part=0.4,
    ),
    Null(
        name="(f) as (c), by loss",
        shares=THIRDS,
        features=20,
        training=BATCHES,
        lambdas=OFF,
        objective="val_data_loss",
        part=0.4,
    ),
)


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What became of a study. `forced` are the comparisons of its best setting that is not the
    baseline; `over_seeds` is the p-value of a t test over the seeds of that against the baseline,
    which forgets that rows vary.
    """

    word: str
    claimed: tuple[str, ...]
    forced: tuple[Comparison, ...]
    over_seeds: float
    seconds: float

    @property
    def false(self) -> bool:
        """Whether it claims anything that would be false in a null."""
        return any(word in FALSE for word in self.claimed)

    @property
    def false_when_forced(self) -> bool:
        return any(comparison.word in FALSE for comparison in self.forced)


def judged(experiment: Experiment, folder: Path) -> Outcome:
    """Search, confirm and open the test set, as `sweeps run` does; then force a comparison."""
    start = time.perf_counter()
    place, data = workspace(folder), datasets.load(experiment.data, experiment.training.dtype)
    config, executor, interrupts = experiment.train_config(), InlineExecutor(), Interrupts()
    lanes = functools.partial(
        lanes_per_task, data.split, config, generation=experiment.sweep.generation, workers=1
    )
    with closing(place.open(experiment.name, experiment)) as study, stored(data.split) as arrays:
        spec = EvaluationSpec(config, experiment.lambdas.layers, arrays)
        trials = experiment.sweep.trials
        drive(
            study,
            executor,
            spec,
            trials=trials,
            lanes=lanes,
            interrupts=interrupts,
            observe=lambda trial: None,
        )
        means = Means(
            executor=executor,
            spec=spec,
            lanes=lanes,
            interrupts=interrupts,
            others=functools.partial(place.attributes, study),
            observe=lambda trained, networks: None,
        )
        verdict = confirmed(
            study, data, means, open_test=True, folder=place.reports_of(experiment.name)
        )
        seconds = time.perf_counter() - start
        assert verdict is not None
        forced, over_seeds = _forced(study, experiment, data, means, verdict)
    return Outcome(
        word=verdict.word,
        claimed=tuple(comparison.word for comparison in verdict.comparisons),
        forced=forced,
        over_seeds=over_seeds,
        seconds=seconds,
    )


def _forced(
    study: Study, experiment: Experiment, data: Dataset, means: Means, verdict: Verdict
) -> tuple[tuple[Comparison, ...], float]:
    """The best setting that is not the baseline, compared on the test rows as if it were
    recommended.
    """
    sign = 1 if experiment.maximize else -1
    tried = [
        each for each in verdict.settings if each.role in (WINNER, CANDIDATE) and each.lambdas.on
    ]
    best = max(tried, key=lambda setting: sign * setting.mean).lambdas
    against = {BASELINE: Lambdas()} | {name: choice.without(best, name) for name in best.on}
    replicates, settings = Replicates(study, means), [best, *against.values()]
    replicates.prepare(settings)
    rows = Sealed(experiment.data).open(data.preparation, experiment.training.dtype)
    scores, _ = replicates.test(settings, rows)
    chooser = Choice.by(experiment.sweep.objective, rows.y, rows.groups)
    estimates = {
        lambdas: chooser.claimed(scores[best], scores[lambdas]) for lambdas in against.values()
    }
    by_seed = chooser.weighting.means(scores[best] - scores[Lambdas()])
    over_seeds = stats.ttest_1samp(by_seed, 0.0).pvalue if by_seed.any() else 1.0
    margin = experiment.confirm.margin
    return tests.compare(against, estimates, tests.ALPHA / 2, margin), float(over_seeds)


def null(
    which: Null, number: int, *, sweep: Mapping[str, Any], confirm: Mapping[str, Any]
) -> Outcome:
    """The study of this number of a null, with these settings."""
    with tempfile.TemporaryDirectory() as folder:
        return judged(which.experiment(number, Path(folder), sweep, confirm), Path(folder))


def planted(edits: Sequence[str], number: int) -> Outcome:
    """A study of `digits_noisy` with a split, training and sampler seed of its own."""
    seeds = [f"{key}={number}" for key in ("data.split.seed", "training.seed", "sweep.seed")]
    with tempfile.TemporaryDirectory() as folder:
        return judged(experiment_file.load("digits_noisy", [*seeds, *edits]), Path(folder))


def most(studies: int, rate: float = tests.ALPHA) -> int:
    """The most false claims that this rate makes in so many studies, in 99 cases of 100."""
    return int(stats.binom.ppf(CERTAINTY, studies, rate))


def report(null: Null, found: Sequence[Outcome]) -> str:
    """A null as a row of the table: how many studies recommend a penalty and claim what is false,
    and how many would when forced; then, at 5 %, how often the forced comparison with the baseline
    alone is significant, and how often a t test over seeds is.
    """
    numbers = (
        len(found),
        sum(bool(one.claimed) for one in found),
        sum(one.false for one in found),
        most(len(found)),
        sum(one.false_when_forced for one in found),
        most(len(found), tests.ALPHA / 2),
        sum(one.forced[0].p < tests.ALPHA for one in found),
        sum(one.over_seeds < tests.ALPHA for one in found),
    )
    return (
        f"| {null.name} | {' | '.join(map(str, numbers))} |"
        f" {np.mean([one.seconds for one in found]):.2f} |"
    )


def main() -> None:
    arguments = begin(
        __doc__,
        studies=(1_000, "of each null"),
        planted=(200, "studies of digits_noisy"),
        workers=(3, "processes"),
    )
    studies, finding = (5, 1) if arguments.tiny else (arguments.studies, arguments.planted)
    sweep: dict[str, Any] = {"trials": 8, "generation": 4} if arguments.tiny else {"trials": TRIALS}
    edits = ("training.epochs=5", "sweep.trials=8", "confirm.seeds=3") if arguments.tiny else ()
    head = (
        "null",
        "studies",
        "recommend",
        "claim falsely",
        "limit",
        "forced: falsely",
        "limit",
        "p < 5 %",
        "over seeds",
        "s",
    )
    print(f"\n| {' | '.join(head)} |\n{'|---' * len(head)}|", flush=True)
    with ProcessPoolExecutor(arguments.workers, mp_context=get_context("spawn")) as pool:
        for each in NULLS:
            count = max(1, round(studies * each.part))
            print(
                report(
                    each, list(pool.map(partial(null, each, sweep=sweep, confirm={}), range(count)))
                ),
                flush=True,
            )
        found = list(pool.map(partial(planted, edits), range(finding)))
    print("\n| planted | studies | better | goal | s |\n|---|---|---|---|---|")
    better = sum(one.word == BETTER for one in found)
    print(
        f"| digits_noisy | {finding} | {better} | {round(0.95 * finding)} |"
        f" {np.mean([one.seconds for one in found]):.1f} |"
    )


if __name__ == "__main__":
    main()
