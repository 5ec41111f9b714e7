"""The simulated problems of the calibration: rows whose truth is known, and how to study them."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from experiments.spec import Experiment
from nnreg import LAMBDA_NAMES

UNIT = "unit"
"""The column of groups, where rows have them."""


Inputs = NDArray[np.float32]
Classes = NDArray[np.int64]
THIRDS = (1 / 3, 1 / 3, 1 / 3)


@dataclass(frozen=True, kw_only=True)
class Problem:
    """So many `rows` made by `draw`, with the column `label`, and the tables of an experiment."""

    name: str
    draw: Callable[[np.random.Generator, int], pd.DataFrame]
    rows: int
    split: Mapping[str, float] = field(default_factory=dict)
    model: Mapping[str, Any] = field(default_factory=dict)
    training: Mapping[str, Any] = field(default_factory=dict)
    lambdas: Mapping[str, float] = field(default_factory=dict)
    objective: str = "val_accuracy"
    part: float = 1.0
    """How much of the studies that are asked for."""

    def experiment(
        self,
        number: int,
        folder: Path,
        sweep: Mapping[str, Any],
        confirm: Mapping[str, Any],
    ) -> Experiment:
        """Return the study of this number, which has its own rows (written into the folder) and
        seeds.
        """
        source, frame = folder / "rows.parquet", self.draw(np.random.default_rng(number), self.rows)
        frame.to_parquet(source)
        group = {"group": UNIT} if UNIT in frame else {}
        return Experiment.model_validate(
            {
                "name": "simulated",
                "data": {
                    "source": str(source),
                    "target": "label",
                    "split": {"seed": number, **self.split, **group},
                },
                "model": dict(self.model),
                "training": {"seed": number, **self.training},
                "lambdas": dict(self.lambdas),
                "sweep": {"seed": number, "objective": self.objective, **sweep},
                "confirm": {"references": False, **confirm},
            }
        )

    def with_training(self, name: str, **training: Any) -> "Problem":
        return replace(self, name=name, training={**self.training, **training})


def table(inputs: np.ndarray, labels: np.ndarray) -> pd.DataFrame:
    frame = pd.DataFrame(inputs, columns=[f"x{index}" for index in range(inputs.shape[1])])
    frame["label"] = labels
    return frame


def nothing_to_learn(
    rng: np.random.Generator,
    rows: int,
    *,
    shares: tuple[float, ...],
    features: int,
    group: int = 1,
) -> pd.DataFrame:
    """Labels in these exact shares, independent of the inputs. Rows stand in groups of `group`,
    which share a label and most of their inputs.
    """
    units = rows // group
    labels = np.repeat(np.arange(len(shares)), np.round(np.array(shares) * units).astype(int))
    inputs = np.repeat(rng.standard_normal((len(labels), features)), group, axis=0)
    if group > 1:
        inputs += 0.5 * rng.standard_normal(inputs.shape)
    frame = table(inputs, np.repeat(labels, group))
    if group > 1:
        frame[UNIT] = [f"unit {row // group}" for row in range(len(frame))]
    return frame


def wrong_labels(rng: np.random.Generator, rows: int) -> pd.DataFrame:
    """Two clouds of points, 7 standard deviations apart in 40 dimensions; one label in five is the
    other cloud's. No network can do better than tell the clouds apart, which gives 80 %.
    """
    clouds, features = np.arange(rows) % 2, 40
    inputs = rng.standard_normal((rows, features))
    inputs += 7 / np.sqrt(features) * (clouds - 0.5)[:, np.newaxis]
    return table(inputs, np.where(rng.random(rows) < 0.2, 1 - clouds, clouds))


def two_of_fifty(rng: np.random.Generator, rows: int) -> pd.DataFrame:
    """The label is the sign of the sum of two inputs of fifty; the others mean nothing."""
    inputs = rng.standard_normal((rows, 50))
    return table(inputs, (inputs[:, :2].sum(axis=1) > 0).astype(int))


def noise(rng: np.random.Generator, rows: int) -> tuple[Inputs, Classes]:
    return rng.standard_normal((rows, 10), dtype=np.float32), rng.integers(0, 3, rows)


def clouds(
    rng: np.random.Generator, rows: int, shares: tuple[float, ...] = THIRDS, group: int = 1
) -> tuple[Inputs, Classes]:
    """Classes that overlap, in 10 dimensions; rows of a group share their class and most of what is
    random in them.
    """
    centres = np.random.default_rng(len(shares)).standard_normal((len(shares), 10))
    y = rng.choice(len(shares), rows // group, p=shares).repeat(group)
    x = rng.standard_normal((rows // group, 10)).repeat(group, axis=0)
    if group > 1:
        x = 0.9 * x + 0.45 * rng.standard_normal(x.shape)
    return (centres[y] * 2 / math.sqrt(10) + x).astype(np.float32), y


def two_matter(rng: np.random.Generator, rows: int, features: int) -> tuple[Inputs, Classes]:
    """The class is the sign of the sum of two inputs; the others mean nothing."""
    x = rng.standard_normal((rows, features), dtype=np.float32)
    return x, (x[:, 0] + x[:, 1] > 0).astype(np.int64)


def quadrants(rng: np.random.Generator, rows: int) -> tuple[Inputs, Classes]:
    """The class is the sign of the product of two inputs of six, which some networks never find."""
    x = rng.standard_normal((rows, 6), dtype=np.float32)
    return x, (x[:, 0] * x[:, 1] > 0).astype(np.int64)


OFF = dict.fromkeys(LAMBDA_NAMES, 5e-10)
FIXED = Problem(
    name="(a) 3 classes, 20 features, minibatches",
    draw=partial(nothing_to_learn, shares=THIRDS, features=20),
    rows=450,
    split={"val": 1 / 3, "test": 1 / 3},
    training={"epochs": 20, "batch_size": 32, "learning_rate": 1e-3},
)
NULLS = (
    FIXED,
    replace(
        FIXED,
        name="(b) 2 classes, 6 features, full batch",
        draw=partial(nothing_to_learn, shares=(0.5, 0.5), features=6),
        training={"epochs": 60, "batch_size": "full", "learning_rate": 0.01},
    ),
    replace(FIXED, name="(c) as (a), all lambdas fixed at 5e-10", lambdas=OFF),
    replace(
        FIXED,
        name="(d) as (a), 80:15:5, balanced accuracy",
        draw=partial(nothing_to_learn, shares=(0.8, 0.15, 0.05), features=20),
        rows=460,
        objective="balanced_val_accuracy",
        part=0.4,
    ),
    replace(
        FIXED,
        name="(e) as (a), in groups of 5",
        draw=partial(nothing_to_learn, shares=THIRDS, features=20, group=5),
        part=0.4,
    ),
    replace(FIXED, name="(f) as (c), by loss", lambdas=OFF, objective="val_data_loss", part=0.4),
)
RANGE = {"low": 3e-4, "high": 1e-1}
TUNED_NULLS = tuple(
    null.with_training(f"{null.name}; tuned", learning_rate=RANGE) for null in NULLS[:3]
)
UNFAIR_GAIN = Problem(
    name="(i) one label in five is wrong",
    draw=wrong_labels,
    rows=800,
    split={"val": 0.35, "test": 0.5},
    model={"hidden": [32], "initialization": "normal_0.01"},
    training={"epochs": 60, "batch_size": 8, "learning_rate": RANGE},
)
PLANTED_GAIN = Problem(
    name="(ii) two inputs of fifty matter",
    draw=two_of_fifty,
    rows=500,
    model={"hidden": [16]},
    training={"epochs": 40, "batch_size": 32, "learning_rate": RANGE},
)
