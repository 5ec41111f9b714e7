"""The truth of a simulated problem: what penalties gain, for the rows that one study trains on.

Settings are searched widely and compared on fresh rows, by which the epoch is kept as well where
the experiment keeps the best. The best of each side is measured with many new seeds and new rows.
"""

import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from benchmarks.simulated import Problem
from experiments import datasets
from experiments.evaluation import Setting, one_thread
from experiments.spec import Experiment
from nnreg import Lambdas, Split, TrainConfig, losses_and_hits, train

LANES = 16
FINALISTS = 8
SPREAD = np.linspace(0, 1, 16)
"""Where the learning rates of networks without penalties lie, on their log axis."""
FEW, MORE = (0, 1), range(100, 100 + LANES)
"""The seeds of the first round, and of the finalists'."""


@dataclass(frozen=True, kw_only=True)
class Size:
    """How many penalised settings are tried, on how many fresh rows; how many new seeds and new
    rows measure the best.
    """

    settings: int = 384
    search_rows: int = 2_000
    seeds: int = 300
    rows: int = 10_000


@dataclass(frozen=True, kw_only=True)
class Truth:
    """Accuracies of the best network without penalties and of the best one with them."""

    none: float
    penalised: float

    @property
    def gain(self) -> float:
        return self.penalised - self.none


@dataclass(frozen=True)
class _Bench:
    """Training rows, with fresh rows in place of the validation rows, and how to train on them."""

    split: Split
    config: TrainConfig
    keep: str | None

    def _means(
        self, settings: Sequence[Setting], seeds: Sequence[int]
    ) -> Iterator[tuple[float, int, Setting]]:
        """Yield each setting's mean accuracy at its kept epoch, and that epoch."""
        size = max(1, LANES // len(seeds))
        for part in (settings[first : first + size] for first in range(0, len(settings), size)):
            fits = train(
                self.split,
                self.config,
                [setting.lambdas for setting in part for _ in seeds],
                seeds=[*seeds] * len(part),
                learning_rates=[setting.learning_rate for setting in part for _ in seeds],
                keep=self.keep,
                together=len(seeds),
            )
            curves = np.array([fit.val_accuracy for fit in fits]).reshape(len(part), len(seeds), -1)
            epochs = [fit.best_epoch for fit in fits[:: len(seeds)]]
            for setting, curve, epoch in zip(part, curves.mean(axis=1), epochs, strict=True):
                yield float(curve[epoch - 1]), epoch, setting

    def accuracy(
        self, settings: Sequence[Setting], x: np.ndarray, y: np.ndarray, seeds: int
    ) -> float:
        """Return the accuracy on x, y, over so many new seeds, of the best of these settings."""

        def value(found: tuple[float, int, Setting]) -> float:
            return found[0]

        first = sorted(self._means(settings, FEW), key=value, reverse=True)
        finalists = [setting for *_, setting in first[:FINALISTS]]
        _, epoch, best = max(self._means(finalists, MORE), key=value)
        config = replace(self.config, epochs=epoch, learning_rate=best.learning_rate)
        hits = []
        for start in range(1_000, 1_000 + seeds, LANES):
            fits = train(
                self.split, config, [best.lambdas] * LANES, seeds=range(start, start + LANES)
            )
            hits.append(losses_and_hits(x, y, [fit.parameters for fit in fits])[1])
        return float(np.concatenate(hits)[:seeds].mean())


def truth(problem: Problem, size: Size, number: int) -> Truth:
    """Return the truth for the training rows of the study of this number of a problem, trained as
    its experiment says: where the learning rate is a range it is tuned on both sides.
    """
    rng = np.random.default_rng([number, 1])
    with tempfile.TemporaryDirectory() as folder, one_thread():
        experiment = problem.experiment(number, Path(folder), {}, {})
        data = datasets.load(experiment.data)
        looked_at, unseen = (
            (data.preparation.apply(frame), frame["label"].to_numpy())
            for frame in (problem.draw(rng, count) for count in (size.search_rows, size.rows))
        )
        split = Split(data.split.x_train, data.split.y_train, *looked_at)
        bench = _Bench(split, experiment.train_config(), experiment.kept_by)
        none = [Setting(Lambdas(), rate) for rate in dict.fromkeys(_rates(experiment, SPREAD))]
        lambdas = [_lambdas(experiment, rng) for _ in range(size.settings)]
        rates = _rates(experiment, rng.random(size.settings))
        penalised = [Setting(one, rate) for one, rate in zip(lambdas, rates, strict=True) if one.on]
        return Truth(
            none=bench.accuracy(none, *unseen, size.seeds),
            penalised=bench.accuracy(penalised, *unseen, size.seeds),
        )


def _rates(experiment: Experiment, places: np.ndarray) -> list[float]:
    """Return a learning rate for each place, from 0 to 1, on the log axis; if fixed, that one."""
    rate = experiment.training.learning_rate
    if isinstance(rate, float):
        return [rate] * len(places)
    return [float(rate.low * (rate.high / rate.low) ** place) for place in places]


def _lambdas(experiment: Experiment, rng: np.random.Generator) -> Lambdas:
    """Draw lambdas, each of which is off with probability 1/2 and log-uniform otherwise."""
    return Lambdas(
        **{
            name: float(span.low * (span.high / span.low) ** rng.random())
            for name, span in experiment.lambdas.searched.items()
            if rng.random() < 0.5
        }
    )
