"""Do folds find better settings than one division of 500 rows?

    python -m benchmarks.regret [--tiny] [--runs N] [--tables FOLDER] [--results FILE]

The design of Schneider, Bischl and Feurer (Overtuning in Hyperparameter Optimization, AutoML 2025),
asked of this program: 500 rows to tune on, all others to test on, 200 settings, accuracy. The same
rows are searched and confirmed with one division (val = 0.2), with 5 folds, and with 5 x 5 folds.
What each way recommends is trained on all 500 rows up to its kept epoch with new seeds. Its regret
is how far it lies below the oracle: the best, by the test rows, of all settings of all ways. Each
run has its own rows, divisions and seeds. Runs that stand in the file of results are not repeated.
The tables of the folder are .csv files of at least 1,500 rows whose last column holds the labels.
"""

import json
import os
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from benchmarks.command import begin
from benchmarks.fairness import head
from benchmarks.in_process import searched
from benchmarks.simulated import two_of_fifty, wrong_labels
from experiments.data_section import Spiral
from experiments.datasets import Sealed, TestRows, bundled
from experiments.evaluation import Setting, one_thread
from experiments.spec import Experiment
from experiments.verdict import BASELINE, RECOMMENDED, WINNER
from nnreg import Split, TrainConfig, losses_and_hits, train
from sweeps.confirmation import confirmed
from sweeps.search.study_record import study_record

TUNED, TESTED = 500, 5_000
"""Rows to tune on, and simulated rows to test on."""
WAYS: dict[str, dict[str, float]] = {
    "hold-out": {"val": 0.2},
    "5 folds": {"folds": 5},
    "5 x 5 folds": {"folds": 5, "repeats": 5},
}
SEVERE = 0.5  # points below an untuned setting
FEW, MORE, JUDGES = range(2), range(100, 110), range(1_000, 1_020)
"""Seeds by which the settings for the oracle are found, the best of them is, and all are judged."""
FINALISTS = 10
FIRST, MIDDLE, BEST, CONFIRMED, ORACLE = "first", "middle", "best trial", "best confirmed", "oracle"
"""The baseline arm's trials of the lowest and of the middle learning rate, which nothing tuned; the
best trial of the search, the best mean of the confirmation, the best by the test rows.
"""
Runs = Sequence[Mapping[str, Any]]


@dataclass(frozen=True, kw_only=True)
class Kind:
    """A kind of rows, labels in the last column: `draw` makes those to tune on, half of whose
    labels may be `half_wrong`, and those to test on.
    """

    draw: Callable[[np.random.Generator], pd.DataFrame]
    half_wrong: bool = False
    model: Mapping[str, Any] = field(default_factory=dict)

    def experiment(self, number: int, folder: Path, way: str, sweep: dict[str, int]) -> Experiment:
        frame = self.draw(rng := np.random.default_rng([number, TUNED]))
        frame = frame.iloc[rng.permutation(len(frame))].reset_index(drop=True)
        target = str(frame.columns[-1])
        if self.half_wrong:
            codes, labels = pd.factorize(frame[target], sort=True)
            wrong = np.arange(TUNED // 2)
            codes[wrong] = (codes[wrong] + rng.integers(1, len(labels), len(wrong))) % len(labels)
            frame = frame.assign(**{target: labels[codes]})
        paths = {"source": str(folder / "rows.parquet"), "test": str(folder / "test.parquet")}
        frame.iloc[:TUNED].to_parquet(paths["source"], index=False)
        frame.iloc[TUNED:].to_parquet(paths["test"], index=False)
        return Experiment.model_validate(
            {
                "name": "regret",
                "data": {**paths, "target": target, "split": {"seed": number, **WAYS[way]}},
                "model": {"hidden": [32], **self.model},
                "training": {"seed": number, "epochs": 30, "batch_size": 50},
                "sweep": {"seed": number, "trials": 200, **sweep},
                "confirm": {"references": False},
            }
        )


def spiral(rng: np.random.Generator) -> pd.DataFrame:
    points, seed = (TUNED + TESTED) // 3, int(rng.integers(2**31))
    return bundled.table("spiral", Spiral(points=points, noise=0.6, seed=seed)).frame


def _same(frame: pd.DataFrame, _: np.random.Generator) -> pd.DataFrame:
    return frame


def kinds(tables: str) -> dict[str, Kind]:
    every, images = TUNED + TESTED, bundled.table("digits", Spiral()).frame
    found = {
        "digits": Kind(draw=partial(_same, images)),
        "digits, half of the labels wrong": Kind(draw=partial(_same, images), half_wrong=True),
        "one label in five wrong": Kind(
            draw=partial(wrong_labels, rows=every), model={"initialization": "normal_0.01"}
        ),
        "two inputs of fifty": Kind(draw=partial(two_of_fifty, rows=every)),
        "spiral": Kind(draw=spiral),
    }
    for path in sorted(Path(tables).glob("*.csv")) if tables else ():
        if len(frame := pd.read_csv(path)) >= 3 * TUNED:
            found[path.stem] = Kind(draw=partial(_same, frame))
    return found


def accuracies(
    whole: Split,
    config: TrainConfig,
    rows: TestRows,
    tried: Sequence[tuple[Setting, int]],
    seeds: Sequence[int],
) -> np.ndarray:
    """Return the mean test accuracy, in points, of settings trained up to their kept epoch."""
    found: np.ndarray = np.empty(len(tried))
    for epoch in {epoch for _, epoch in tried}:
        places = [place for place, (_, last) in enumerate(tried) if last == epoch]
        settings = [tried[place][0] for place in places for _ in seeds]
        fits = train(
            Split(whole.x_train, whole.y_train, whole.x_train[:1], whole.y_train[:1]),
            replace(config, epochs=epoch),
            [one.lambdas for one in settings],
            seeds=[*seeds] * len(places),
            learning_rates=[one.learning_rate for one in settings],
        )
        hits = losses_and_hits(rows.x, rows.y, [fit.parameters for fit in fits])[1]
        found[places] = 100 * hits.reshape(len(places), -1).mean(axis=1)
    return found


def measured(kind: Kind, number: int, way: str, sweep: dict[str, int]) -> dict[str, Any]:
    """Return the test accuracies of one way, by role."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        experiment = kind.experiment(number, folder, way, sweep)
        with searched(experiment, folder) as run:
            data, record = run.data, study_record(run.study.optuna)
            verdict = confirmed(run.study, data, run.means, open_test=False, folder=folder)
        rows = Sealed(experiment.data).open(data.preparation, experiment.training.dtype)
    assert verdict is not None
    every = {trial.trial: (trial.setting, trial.best_epoch) for trial in record.complete}
    of_verdict = {role: verdict.confirmed(role) for role in (RECOMMENDED, BASELINE, WINNER)}
    best = max((of_verdict[WINNER], of_verdict[BASELINE]), key=lambda one: one.mean)
    kept = {role: (one.setting, one.best_epoch) for role, one in of_verdict.items()}
    kept[CONFIRMED] = best.setting, best.best_epoch
    kept[BEST] = every[record.ranked[0].trial]
    kept[FIRST], kept[MIDDLE] = every[0], every[experiment.sweep.baseline // 2]
    test = partial(accuracies, data.splits.all_rows, experiment.train_config(), rows)
    with one_thread():
        trials = list(every.values())
        first = np.argsort(-test(trials, FEW), kind="stable")
        finalists = [trials[place] for place in first[:FINALISTS]]
        kept[ORACLE] = finalists[int(test(finalists, MORE).argmax())]
        distinct = list(dict.fromkeys(kept.values()))
        judged = dict(zip(distinct, test(distinct, JUDGES), strict=True))
    return {
        "points": {role: round(float(judged[one]), 3) for role, one in kept.items()},
        "on": of_verdict[RECOMMENDED].setting.on,
    }


def points(runs: Runs, way: str, role: str = RECOMMENDED) -> np.ndarray:
    return np.array([run[way]["points"][role] for run in runs])


def regrets(runs: Runs, way: str, role: str = RECOMMENDED) -> np.ndarray:
    """Return how far a role lies below the oracle, in points."""
    oracle: np.ndarray = np.max([points(runs, each, ORACLE) for each in WAYS], axis=0)
    return oracle - points(runs, way, role)


def with_error(values: np.ndarray) -> str:
    error = values.std(ddof=1) / np.sqrt(len(values)) if len(values) > 1 else 0.0
    return f"{values.mean():.2f} ± {error:.2f}"


def share_of_hold_out(runs: Runs, way: str) -> str:
    """Return the mean regret as a percentage of the hold-out's, and its 95 % interval: runs drawn
    again with replacement, those of the ways together.
    """
    ours, other = regrets(runs, way), regrets(runs, next(iter(WAYS)))
    drawn = np.random.default_rng(0).integers(len(runs), size=(4_000, len(runs)))
    low, high = np.percentile(100 * ours[drawn].mean(1) / other[drawn].mean(1), [2.5, 97.5])
    return f"{100 * ours.mean() / other.mean():.0f} % ({low:.0f} to {high:.0f})"


def report(runs: Runs) -> None:
    first, others = next(iter(WAYS)), (CONFIRMED, BEST, BASELINE)
    head("way", RECOMMENDED, "of the hold-out's", "own oracle", *others, "worse than first, middle")
    for way in WAYS:
        ours, gaps = points(runs, way), [regrets(runs, way, role) for role in others]
        cells = [with_error(regrets(runs, way)), share_of_hold_out(runs, way)]
        cells += map(with_error, [points(runs, way, ORACLE) - ours, *gaps])
        worse = [(ours < points(runs, way, role) - SEVERE).sum() for role in (FIRST, MIDDLE)]
        print(f"| {way} | {' | '.join(cells)} | {worse[0]}, {worse[1]} of {len(runs)} |")
    head("regret by kind", "runs", "oracle", *WAYS, FIRST, MIDDLE)
    for kind in dict.fromkeys(run["kind"] for run in runs):
        these = [run for run in runs if run["kind"] == kind]
        oracle = (regrets(these, first) + points(these, first)).mean()
        cells = [with_error(regrets(these, way)) for way in WAYS]
        cells += [f"{regrets(these, first, role).mean():.2f}" for role in (FIRST, MIDDLE)]
        print(f"| {kind} | {len(these)} | {oracle:.1f} | {' | '.join(cells)} |", flush=True)


def main() -> None:
    arguments = begin(
        __doc__,
        runs=(10, "of each kind"),
        tables=("", "a folder of tables to add"),
        results=("", "a file to keep runs in, one JSON line each"),
    )
    found, runs = kinds(arguments.tables), []
    results = Path(arguments.results or os.devnull)
    if results.exists():
        runs = [json.loads(line) for line in results.read_text(encoding="utf-8").splitlines()]
    there = {(run["number"], run["kind"]) for run in runs}
    asked = [(number, kind) for number in range(arguments.runs) for kind in found]
    sweep: dict[str, int] = {}
    if arguments.tiny:
        asked, sweep = [(0, "spiral")], {"trials": 8, "baseline": 4, "generation": 4}
    for number, kind in [one for one in asked if one not in there]:
        run = {way: measured(found[kind], number, way, sweep) for way in WAYS}
        runs.append({"number": number, "kind": kind, **run})
        with results.open("a", encoding="utf-8") as file:
            file.write(f"{json.dumps(runs[-1])}\n")
    report(runs)


if __name__ == "__main__":
    main()
