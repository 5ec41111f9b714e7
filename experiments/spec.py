"""The experiment: what is trained on what data, and how it is searched; one TOML file as one frozen
record.
"""

import difflib
import functools
import hashlib
import itertools
import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BeforeValidator, Field, field_validator, model_validator

from experiments.axes import WIDE, Axis, Range, Section
from experiments.names import check_name
from experiments.sampler_name import SamplerName
from nnreg import LAMBDA_NAMES, TrainConfig

OBJECTIVES = ("val_accuracy", "balanced_val_accuracy", "val_data_loss")
SAMPLERS = ("tpe", "random", "qmc", "cmaes")
FILE_SUFFIXES = (".csv", ".parquet", ".npz")
MOST_TRIALS = 10_000_000
MOST_WEIGHTS = 1_000_000_000  # between hidden layers: 4 GB for one network

Objective = Literal["val_accuracy", "balanced_val_accuracy", "val_data_loss"]
Seed = Annotated[int, Field(ge=0, lt=2**32)]
Share = Annotated[float, Field(ge=0, lt=1, allow_inf_nan=False)]
Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Names = Annotated[tuple[str, ...], Field(strict=False)]


def _check_objective(value: object) -> object:
    if value == "total_loss":
        raise ValueError(
            "total_loss holds the penalty itself, so a search would win by switching the penalty"
            f" off; use one of {', '.join(OBJECTIVES)}"
        )
    return value


class Shares(Section):
    """How the rows are divided where no files are given for validation and test."""

    val: Share = 0.2
    """The share of the rows to choose the lambdas by."""
    test: Share = 0.2
    """The share of the rows that stays sealed until the confirmation."""
    seed: Seed = 0
    """Another seed divides the rows in another way."""
    group: Annotated[str | None, Field(examples=["patient"])] = None
    """The column of groups that may not be torn apart, such as the patient that several rows belong to."""

    @model_validator(mode="after")
    def _something_is_left(self) -> Self:
        if self.val + self.test >= 1:
            raise ValueError(
                f"val = {self.val:g} and test = {self.test:g} leave nothing to train on; together"
                " they must stay below 1"
            )
        if self.val == 0:
            raise ValueError(
                "val = 0 leaves nothing to choose the lambdas by; give it a share such as 0.2"
            )
        return self


class Spiral(Section):
    """The options of the bundled data `spiral`."""

    points: Annotated[int, Field(ge=10, le=1_000_000)] = 100
    """The points of each class."""
    classes: Annotated[int, Field(ge=2, le=100)] = 3
    """How many arms it has."""
    noise: Annotated[float, Field(ge=0, le=100)] = (
        0.2  # radians; beyond a few the arms are gone, and far beyond they overflow
    )
    """How far points stray from their arm, in radians."""
    seed: Seed = 0
    """Another seed draws other points."""


class Data(Section):
    """[data]: where the rows come from, and what happens to their columns."""

    source: Annotated[str, Field(min_length=1)]
    """The rows: a .csv, .parquet or .npz file, relative to this file; or a bundled name such as "digits"."""
    target: Annotated[str | None, Field(examples=["y"])] = None
    """The column that holds the labels (in an .npz: the array)."""
    drop: Names = ()
    """Columns to leave out, such as ids, names and free text."""
    categorical: Names = ()
    """Columns of numbers that are codes and no quantities, such as a zip code."""
    missing: Names = ("", "NA", "NaN", "?")
    """The texts that mean: no value. Numbers then take the median, and categories have "missing" as a value of its own."""
    separator: Annotated[str, Field(min_length=1)] = "auto"
    """What stands between the fields of a .csv: one character, or "auto" to find out."""
    encoding: str = "utf-8-sig"
    """How a .csv is encoded, such as "utf-8-sig" (UTF-8, with or without a mark at its beginning), "latin-1" or "utf-16"."""
    split: Shares = Shares()
    validation: Annotated[str | None, Field(examples=["val.csv"])] = None
    """A file of rows to choose the lambdas by, in place of the share split.val."""
    test: Annotated[str | None, Field(examples=["test.csv"])] = None
    """A file of rows for the last word, in place of the share split.test."""
    spiral: Spiral = Spiral()

    @property
    def is_file(self) -> bool:
        """Whether the source is a file rather than the name of bundled data."""
        return Path(self.source).suffix.lower() in FILE_SUFFIXES

    @property
    def is_csv(self) -> bool:
        """Whether the source is a text file, in which nothing has a type."""
        return Path(self.source).suffix.lower() == ".csv"

    @property
    def files(self) -> dict[str, Path]:
        """The files that this data is read from, by the key that names them."""
        if not self.is_file:
            return {}
        named = {"source": self.source, "validation": self.validation, "test": self.test}
        return {key: Path(value) for key, value in named.items() if value is not None}


class Model(Section):
    """[model]: the network."""

    hidden: Annotated[
        tuple[Annotated[int, Field(ge=1, le=1_000_000)], ...], Field(strict=False, max_length=100)
    ] = TrainConfig.hidden
    """The neurons of each hidden layer: [64] is one layer, [64, 32] are two, [] is none."""
    initialization: Literal["he", "normal_0.01"] = TrainConfig.initialization  # type: ignore[assignment]  # str there
    """How the weights begin: "he" (suits ReLU) or "normal_0.01" (the book's)."""

    @field_validator("hidden")
    @classmethod
    def _fits_into_memory(cls, hidden: tuple[int, ...]) -> tuple[int, ...]:
        weights = sum(first * second for first, second in itertools.pairwise(hidden))
        if weights > MOST_WEIGHTS:
            raise ValueError(
                f"{weights:,} weights between hidden layers, and at most {MOST_WEIGHTS:,} are"
                " allowed; use fewer neurons"
            )
        return hidden


class Training(Section):
    """[training]: how the network is trained."""

    epochs: Annotated[int, Field(ge=1, le=1_000_000)] = TrainConfig.epochs
    """How often the network sees every row."""
    batch_size: Annotated[int, Field(ge=1, le=1_000_000_000)] | Literal["full"] = (
        TrainConfig.batch_size or "full"
    )
    """The rows in one step of the optimizer, or "full" for all of them."""
    learning_rate: Positive = TrainConfig.learning_rate
    """The size of the optimizer's steps."""
    decay: Annotated[float, Field(ge=0)] = TrainConfig.decay
    """How fast the steps become smaller: learning_rate / (1 + decay * steps done)."""
    optimizer: Literal["adam", "sgd"] = TrainConfig.optimizer  # type: ignore[assignment]  # str there
    """How gradients move the parameters: "adam" or "sgd"."""
    beta_1: Share = TrainConfig.beta_1
    """Adam's memory of gradients."""
    beta_2: Share = TrainConfig.beta_2
    """Adam's memory of squared gradients."""
    epsilon: Positive = TrainConfig.epsilon
    """Adam's guard against a division by zero."""
    momentum: Share = TrainConfig.momentum
    """The memory of sgd; 0 is none."""
    dtype: Literal["float32", "float64"] = TrainConfig.dtype  # type: ignore[assignment]  # str there
    """The precision: "float32", or "float64" at half the speed."""
    seed: Seed = TrainConfig.seed
    """Decides the initial weights and the order of the rows."""


class LambdaAxes(Section):
    """[lambdas]: what is searched."""

    weight_l1: Axis = WIDE
    """The penalty on the sum of |weights|: drives weights to zero."""
    weight_l2: Axis = WIDE
    """The penalty on the sum of weights^2: keeps weights small."""
    bias_l1: Axis = WIDE
    """The penalty on the sum of |biases|."""
    bias_l2: Axis = WIDE
    """The penalty on the sum of biases^2."""
    layers: Literal["all", "hidden"] = "all"
    """The layers that pay: "all", or "hidden" (all but the last)."""

    @property
    def axes(self) -> dict[str, Range | float]:
        """The four axes, in their order."""
        return {name: getattr(self, name) for name in LAMBDA_NAMES}

    @property
    def searched(self) -> dict[str, Range]:
        """The axes that are ranges, in their order; the other lambdas are fixed."""
        return {name: axis for name, axis in self.axes.items() if isinstance(axis, Range)}


class Sweep(Section):
    """[sweep]: how it is searched."""

    trials: Annotated[int, Field(ge=1, le=MOST_TRIALS)] = 100
    """How many trials in all, also after an interruption."""
    generation: Annotated[int, Field(ge=1, le=10_000)] = 16
    """How many trials are proposed together: more use more cores, fewer let the sampler learn sooner."""
    sampler: SamplerName = "tpe"
    """How trials are proposed: "tpe", "random", "qmc", "cmaes"."""
    objective: Annotated[Objective, BeforeValidator(_check_objective)] = "val_accuracy"
    """What makes a trial better: "val_accuracy", "balanced_val_accuracy", "val_data_loss"."""
    off_decades: Annotated[float, Field(gt=0, le=100)] = 1.0
    """How much of each axis is off: this many decades below its low."""
    seed: Seed = 0
    """Another seed proposes other trials."""


class Confirm(Section):
    """[confirm]: how the answer is confirmed."""

    top: Annotated[int, Field(ge=1, le=10_000)] = 5
    """How many of the best trials are trained again."""
    seeds: Annotated[int, Field(ge=2, le=10_000)] = 10
    """How many fresh seeds each of them is trained with."""
    margin: Positive = 0.01
    """The gain in accuracy that counts as one."""


class Experiment(Section):
    """One experiment: the whole TOML file. Paths in it are absolute."""

    name: Annotated[str, AfterValidator(check_name)]
    """Names the study, the folder of its reports, and the experiment on MLflow."""
    data: Data
    model: Model = Model()
    training: Training = Training()
    lambdas: LambdaAxes = LambdaAxes()
    sweep: Sweep = Sweep()
    confirm: Confirm = Confirm()

    @model_validator(mode="after")
    def _has_a_bottom(self) -> Self:
        for name, axis in self.lambdas.axes.items():
            if (
                isinstance(axis, Range)
                and axis.low * 10**-self.sweep.off_decades < sys.float_info.min
            ):
                raise ValueError(
                    f"lambdas.{name}.low is {axis.low:g}, and sweep.off_decades ="
                    f" {self.sweep.off_decades:g} below it no number is left for off; write a"
                    " larger low or fewer decades"
                )
        return self

    @property
    def maximize(self) -> bool:
        """Whether a larger objective is better."""
        return self.sweep.objective != "val_data_loss"

    @functools.cached_property
    def identity(self) -> dict[str, Any]:
        """What decides the numbers of a trial, as `{"training.epochs": 30, ...}`: the input of the
        fingerprint.

        Raises OSError where a data file cannot be read.
        """
        parts = self.model_dump(
            mode="json", include={"data", "model", "training", "lambdas", "sweep"}
        )
        parts["data"] |= {key: f"sha256:{_digest(path)}" for key, path in self.data.files.items()}
        del parts["sweep"]["trials"]
        return dict(sorted(flatten(parts)))

    @property
    def fingerprint(self) -> str:
        """The digest of the identity."""
        return digest(self.identity)

    def train_config(self) -> TrainConfig:
        """The same settings as `nnreg.train` takes them."""
        training = self.training.model_dump()
        if training["batch_size"] == "full":
            training["batch_size"] = None
        return TrainConfig(
            hidden=self.model.hidden, initialization=self.model.initialization, **training
        )


def digest(identity: Mapping[str, Any]) -> str:
    """SHA-256 of an identity as canonical JSON: sorted keys, no spaces."""
    return hashlib.sha256(
        json.dumps(identity, sort_keys=True, separators=(",", ":")).encode()
    ).hexdigest()


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def flatten(table: Mapping[str, Any], prefix: str = "") -> list[tuple[str, Any]]:
    """Tables in tables as rows of dotted keys and their values, such as `("training.epochs", 30)`."""
    rows: list[tuple[str, Any]] = []
    for key, value in table.items():
        rows += (
            flatten(value, f"{prefix}{key}.")
            if isinstance(value, dict)
            else [(f"{prefix}{key}", value)]
        )
    return rows


def nearest(word: str, known: list[str]) -> str:
    """`; did you mean X?` where a known word is near, else the list of known words."""
    close = difflib.get_close_matches(word, known, n=1, cutoff=0.6)
    return f"did you mean {close[0]!r}?" if close else f"known are {', '.join(known)}"
