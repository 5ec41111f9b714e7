"""Is the network without penalties trained as well as one knows how?

    python -m benchmarks.fairness [--tiny] [--tables FOLDER] [--divisions N] [--workers N]

The baseline arm is searched and confirmed as `sweeps run` does it, with the defaults of the catalog
and of `sweeps new`. Its test accuracy stands beside that of scikit-learn's MLPClassifier on the
same rows, and beside that of a baseline arm of four times as many trials. Each division of the rows
into training, validation and test is another one. The tables of the folder are .csv files whose
last column holds the labels, and .npz files.
"""

import argparse
import tempfile
import time
import warnings
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from statistics import mean

import numpy as np
import pandas as pd

from benchmarks.command import begin
from benchmarks.in_process import searched
from experiments import experiment_file, template
from experiments.data_section import Shares
from experiments.datasets import Dataset, Sealed, TestRows
from experiments.evaluation import Setting, one_thread
from experiments.spec import Experiment
from sweeps.confirmation import choice
from sweeps.confirmation.choice import Choice
from sweeps.confirmation.replicates import Replicates
from sweeps.search.study_record import study_record

CATALOG = ("digits", "digits_noisy", "breast_cancer", "iris", "wine", "spiral")
TOO_SMALL = ("iris", "wine")
"""Fewer than 40 test rows say nothing about the number of baseline trials."""
MORE = 4  # times as many baseline trials
RATES = (1e-3, 3e-3, 1e-2, 3e-2, 1e-1)
"""The opponent's learning rates: of seven from 1e-4 to 1e-1 the five with which it is best."""
OPTIONS: dict[str, tuple[int | str, str]] = {
    "tables": ("", "a folder of tables to add to the catalog"),
    "divisions": (5, "of each table"),
    "workers": (1, "processes"),
}
TINY = ("training.epochs=2", "sweep.baseline=2", "confirm.top=2", "confirm.seeds=2")


@dataclass(frozen=True, kw_only=True)
class Baseline:
    """A confirmed baseline, with its accuracy on the test rows as a percentage."""

    setting: Setting
    best_epoch: int
    accuracy: float
    seconds: float


@dataclass(frozen=True, kw_only=True)
class Division:
    """What one division of a table's rows gave; accuracies are percentages of the test rows."""

    rows: int
    baseline: Baseline
    more: Baseline
    opponent: float


@contextmanager
def tables_and_pool(
    arguments: argparse.Namespace, most: int | None = None
) -> Iterator[tuple[dict[str, Experiment], ProcessPoolExecutor]]:
    """The experiments that OPTIONS ask for, and processes to carry them out."""
    with (
        tempfile.TemporaryDirectory() as folder,
        ProcessPoolExecutor(arguments.workers, mp_context=get_context("spawn")) as pool,
    ):
        tables = Path(arguments.tables) if arguments.tables else None
        found = experiments(tables, Path(folder), most)
        yield {"digits": found["digits"]} if arguments.tiny else found, pool


def experiments(
    tables: Path | None, folder: Path, most: int | None = None
) -> dict[str, Experiment]:
    """The catalog, and each table of a folder as `sweeps new` writes its experiment file, of a
    large one so many rows. All have one division, as their opponent has.
    """
    found = {name: experiment_file.load(name) for name in CATALOG}
    for path in sorted(tables.iterdir()) if tables else ():
        if path.suffix in (".csv", ".npz"):
            path = path if most is None else drawn(path, most, folder)
            last = pd.read_csv(path, nrows=0).columns[-1] if path.suffix == ".csv" else None
            written = template.write(path, last, folder / f"{path.stem}.toml")
            one = experiment_file.load(written.path)
            data = one.data.model_copy(update={"split": Shares()})
            found[path.stem] = one.model_copy(update={"data": data})
    return found


def drawn(path: Path, most: int, folder: Path) -> Path:
    """The table, or where it has more rows a new one in the folder with so many, drawn."""
    rng = np.random.default_rng(0)
    if path.suffix == ".npz":
        with np.load(path, allow_pickle=False) as arrays:
            rows = rng.permutation(len(arrays["y"]))[:most]
            np.savez(
                folder / path.name, allow_pickle=False, X=arrays["X"][rows], y=arrays["y"][rows]
            )
    else:
        frame = pd.read_csv(path, dtype=str, keep_default_na=False)
        rows = rng.permutation(len(frame))[:most]
        frame.iloc[rows].to_csv(folder / path.name, index=False)
    return folder / path.name


def divided(experiment: Experiment, edits: Sequence[str], number: int) -> Division:
    """What the division of this number gives."""
    edits = [f"data.split.seed={number}", f"training.seed={number}", *edits]
    experiment = experiment_file.load(experiment, edits)
    trials = experiment.sweep.baseline
    baseline, data, rows = confirmed_baseline(experiment, trials)
    more, _, _ = confirmed_baseline(experiment, MORE * trials)
    return Division(
        rows=data.rows["training"],
        baseline=baseline,
        more=more,
        opponent=opponent(experiment, data, rows),
    )


def confirmed_baseline(experiment: Experiment, trials: int) -> tuple[Baseline, Dataset, TestRows]:
    """The baseline of a study that has so many trials, all of the baseline arm."""
    start = time.perf_counter()
    edits = [f"sweep.baseline={trials}", f"sweep.trials={trials}"]
    experiment = experiment_file.load(experiment, edits)
    with (
        tempfile.TemporaryDirectory() as folder,
        searched(experiment, Path(folder)) as found,
    ):
        replicates, data = Replicates(found.study, found.data, found.means), found.data
        tried = choice.candidates(study_record(found.study.optuna), experiment.confirm.top)
        chooser = Choice.by(experiment.sweep.objective, data.split.y_val, data.groups)
        setting = chooser.winner(tried, replicates.scores(tried))
        rows = Sealed(experiment.data).open(data.preparation, experiment.training.dtype)
        _, hits = replicates.test([setting], [rows])
    baseline = Baseline(
        setting=setting,
        best_epoch=replicates.best_epoch(setting),
        accuracy=100 * float(hits[setting].mean()),
        seconds=time.perf_counter() - start,
    )
    return baseline, data, rows


def opponent(experiment: Experiment, data: Dataset, rows: TestRows) -> float:
    """The accuracy of scikit-learn's network: as many random states as there are fresh seeds, early
    stopping by a part of the training rows as it does by default, and the learning rate that is
    best on the validation rows.
    """
    from sklearn.neural_network import MLPClassifier

    split = data.split
    found: list[tuple[float, float]] = []
    with one_thread(), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that 200 epochs were not enough: counted as it is
        for rate in RATES:
            fits = [
                MLPClassifier(
                    experiment.model.hidden,
                    learning_rate_init=rate,
                    early_stopping=True,
                    random_state=state,
                ).fit(split.x_train, split.y_train)
                for state in range(experiment.confirm.seeds)
            ]
            val = mean(fit.score(split.x_val, split.y_val) for fit in fits)
            found.append((val, 100 * mean(fit.score(rows.x, rows.y) for fit in fits)))
    _, accuracy = max(found, key=lambda pair: pair[0])  # of equal ones the smaller rate
    return accuracy


@dataclass(frozen=True, kw_only=True)
class Table:
    """A table's divisions, of which each number here is the mean."""

    name: str
    divisions: Sequence[Division]

    @property
    def ours(self) -> float:
        return mean(one.baseline.accuracy for one in self.divisions)

    @property
    def opponent(self) -> float:
        return mean(one.opponent for one in self.divisions)

    @property
    def moves(self) -> list[float]:
        """How much more accurate each division's baseline is with more trials."""
        return [one.more.accuracy - one.baseline.accuracy for one in self.divisions]

    def against_opponent(self) -> str:
        baselines = [one.baseline for one in self.divisions]
        rates = ", ".join(f"{one.setting.learning_rate:.2g}" for one in baselines)
        epochs = ", ".join(str(one.best_epoch) for one in baselines)
        seconds = mean(one.seconds for one in baselines)
        return (
            f"| {self.name} | {self.divisions[0].rows:,} | {self.ours:.1f} | {self.opponent:.1f} |"
            f" {self.ours - self.opponent:+.1f} | {rates} | {epochs} | {seconds:.1f} |"
        )

    def against_more(self) -> str:
        moves = ", ".join(f"{move:+.1f}" for move in self.moves)
        more = self.ours + mean(self.moves)
        return f"| {self.name} | {self.ours:.2f} | {more:.2f} | {mean(self.moves):+.2f} | {moves} |"


def head(*columns: str) -> None:
    print(f"\n| {' | '.join(columns)} |\n{'|---' * len(columns)}|", flush=True)


def main() -> None:
    arguments = begin(__doc__, **OPTIONS)
    divisions, edits = (1, TINY) if arguments.tiny else (arguments.divisions, ())
    found: list[Table] = []
    head(
        "table", "rows", "baseline", "MLPClassifier", "difference", "learning rates", "epochs", "s"
    )
    with tables_and_pool(arguments) as (tables, pool):
        for name, experiment in tables.items():
            each = pool.map(partial(divided, experiment, edits), range(divisions))
            found.append(Table(name=name, divisions=list(each)))
            print(found[-1].against_opponent(), flush=True)
    judged = [table for table in found if table.name not in CATALOG or table.name == "digits"]
    ours, other = mean(table.ours for table in judged), mean(table.opponent for table in judged)
    least = min(table.ours - table.opponent for table in judged)
    print(f"| digits and the folder | | {ours:.1f} | {other:.1f} | {ours - other:+.1f} | | | |")
    print(f"| the least of these | | | | {least:+.1f} | | | |")
    head("table", "baseline", f"{MORE} times the trials", "difference", "by division")
    argued = [table for table in found if table.name not in TOO_SMALL]
    for table in argued:
        print(table.against_more())
    moves = [mean(table.moves) for table in argued]
    print(f"| mean difference | | | {mean(moves):+.2f} | |")
    print(f"| mean absolute difference | | | {mean(map(abs, moves)):.2f} | |", flush=True)


if __name__ == "__main__":
    main()
