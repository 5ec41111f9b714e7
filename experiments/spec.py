"""The experiment: what is trained on what data, and how it is searched; one TOML file as one frozen record."""

import difflib
import functools
import hashlib
import itertools
import json
import math
import re
import sys
import unicodedata
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, field_validator, model_validator

from experiments.sampler_name import SamplerName
from nnreg import LAMBDA_NAMES, TrainConfig

OBJECTIVES = ("val_accuracy", "balanced_val_accuracy", "val_data_loss")
SAMPLERS = ("tpe", "random", "qmc", "cmaes")
FILE_SUFFIXES = (".csv", ".parquet", ".npz")
MOST_TRIALS = 10_000_000
LONGEST_NAME, MOST_BYTES = 100, 200  # a file's name may have 255 bytes, and ours get endings such as .journal.lock
DEVICES = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)(\.|$)", re.IGNORECASE)  # no file can have such a name on Windows
MOST_WEIGHTS = 1_000_000_000  # between hidden layers: 4 GB for one network

Objective = Literal["val_accuracy", "balanced_val_accuracy", "val_data_loss"]
Seed = Annotated[int, Field(ge=0, lt=2**32)]
Share = Annotated[float, Field(ge=0, lt=1, allow_inf_nan=False)]
Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Names = Annotated[tuple[str, ...], Field(strict=False)]


def check_name(name: str) -> str:
    """A name that is safe as the name of a file, of a folder and of a study. Raises ValueError."""
    if not name:
        raise ValueError("a name may not be empty; write a few letters")
    if len(name) > LONGEST_NAME:
        raise ValueError(f"a name may have at most {LONGEST_NAME} characters, and this one has {len(name)}; shorten it")
    if not re.fullmatch(r"\w[\w .+-]*", name) or name.endswith((" ", ".")):
        raise ValueError(
            "a name starts with a letter, a digit or _, and goes on with those, spaces and . + - "
            "(no slash, it is also the name of a file); rename it"
        )
    if unicodedata.normalize("NFKC", name) != name:
        raise ValueError(
            f"a name has one spelling on every disk, and this one is also written {unicodedata.normalize('NFKC', name)}; use that"
        )
    size = len(name.encode())
    if size > MOST_BYTES:
        raise ValueError(f"a name may have at most {MOST_BYTES} bytes in UTF-8, and this one has {size}; shorten it")
    if DEVICES.match(name):
        raise ValueError("Windows keeps this name for a device, and studies move between machines; rename it")
    return name


def _check_objective(value: object) -> object:
    if value == "total_loss":
        raise ValueError(
            "total_loss holds the penalty itself, so a search would win by switching the penalty off; "
            f"use one of {', '.join(OBJECTIVES)}"
        )
    return value


class Section(BaseModel):
    """A table of the experiment file."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)


class Shares(Section):
    """How the rows are divided where no files are given for validation and test."""

    val: Share = 0.2
    test: Share = 0.2
    seed: Seed = 0
    group: str | None = None

    @model_validator(mode="after")
    def _something_is_left(self) -> Self:
        if self.val + self.test >= 1:
            raise ValueError(
                f"val = {self.val:g} and test = {self.test:g} leave nothing to train on; together they must stay below 1"
            )
        if self.val == 0:
            raise ValueError("val = 0 leaves nothing to choose the lambdas by; give it a share such as 0.2")
        return self


class Spiral(Section):
    """The options of the bundled data `spiral`."""

    points: Annotated[int, Field(ge=10, le=1_000_000)] = 100
    classes: Annotated[int, Field(ge=2, le=100)] = 3
    noise: Annotated[float, Field(ge=0, le=100)] = 0.2  # radians; beyond a few the arms are gone, and far beyond they overflow
    seed: Seed = 0


class Data(Section):
    """[data]: where the rows come from, and what happens to their columns."""

    source: Annotated[str, Field(min_length=1)]
    target: str | None = None
    drop: Names = ()
    categorical: Names = ()
    missing: Names = ("", "NA", "NaN", "?")
    separator: Annotated[str, Field(min_length=1)] = "auto"
    encoding: str = "utf-8-sig"
    split: Shares = Shares()
    validation: str | None = None
    test: str | None = None
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

    hidden: Annotated[tuple[Annotated[int, Field(ge=1, le=1_000_000)], ...], Field(strict=False, max_length=100)] = (
        TrainConfig.hidden
    )
    initialization: Literal["he", "normal_0.01"] = TrainConfig.initialization  # type: ignore[assignment]  # str there

    @field_validator("hidden")
    @classmethod
    def _fits_into_memory(cls, hidden: tuple[int, ...]) -> tuple[int, ...]:
        weights = sum(first * second for first, second in itertools.pairwise(hidden))
        if weights > MOST_WEIGHTS:
            raise ValueError(
                f"{weights:,} weights between hidden layers, and at most {MOST_WEIGHTS:,} are allowed; use fewer neurons"
            )
        return hidden


class Training(Section):
    """[training]: how the network is trained."""

    epochs: Annotated[int, Field(ge=1, le=1_000_000)] = TrainConfig.epochs
    batch_size: Annotated[int, Field(ge=1, le=1_000_000_000)] | Literal["full"] = TrainConfig.batch_size or "full"
    learning_rate: Positive = TrainConfig.learning_rate
    decay: Annotated[float, Field(ge=0)] = TrainConfig.decay
    optimizer: Literal["adam", "sgd"] = TrainConfig.optimizer  # type: ignore[assignment]  # str there
    beta_1: Share = TrainConfig.beta_1
    beta_2: Share = TrainConfig.beta_2
    epsilon: Positive = TrainConfig.epsilon
    momentum: Share = TrainConfig.momentum
    dtype: Literal["float32", "float64"] = TrainConfig.dtype  # type: ignore[assignment]  # str there
    seed: Seed = TrainConfig.seed


class Range(Section):
    """The axis of one lambda: log-uniform from low to high, with off below low."""

    low: float = 1e-6
    high: float = 1e-1

    @model_validator(mode="after")
    def _is_a_log_axis(self) -> Self:
        if self.low <= 0:
            raise ValueError(f"low is {self.low:g}; a log axis needs low > 0. To switch it off, write 0 in place of the range")
        if self.low >= self.high:
            raise ValueError(f"low = {self.low:g} is not below high = {self.high:g}; write low < high, or one number to fix it")
        return self


def _number_or_range(value: object) -> object:
    if isinstance(value, bool) or not isinstance(value, int | float | Mapping | Range):
        raise ValueError("write a range such as { low = 1e-6, high = 1e-1 }, or a number to fix it (0 switches it off)")
    if isinstance(value, int | float):
        if not math.isfinite(value) or value < 0:
            raise ValueError("a lambda is a finite number, 0 or more; write 0 to switch it off")
        return float(value)
    return value if isinstance(value, Range) else Range.model_validate(value)


Axis = Annotated[Range | float, BeforeValidator(_number_or_range)]
WIDE = Range()


class LambdaAxes(Section):
    """[lambdas]: what is searched."""

    weight_l1: Axis = WIDE
    weight_l2: Axis = WIDE
    bias_l1: Axis = WIDE
    bias_l2: Axis = WIDE
    layers: Literal["all", "hidden"] = "all"

    @property
    def axes(self) -> dict[str, Range | float]:
        """The four axes, in their order."""
        return {name: getattr(self, name) for name in LAMBDA_NAMES}


class Sweep(Section):
    """[sweep]: how it is searched."""

    trials: Annotated[int, Field(ge=1, le=MOST_TRIALS)] = 100
    generation: Annotated[int, Field(ge=1, le=10_000)] = 16
    sampler: SamplerName = "tpe"
    objective: Annotated[Objective, BeforeValidator(_check_objective)] = "val_accuracy"
    off_decades: Annotated[float, Field(gt=0, le=100)] = 1.0
    seed: Seed = 0


class Confirm(Section):
    """[confirm]: how the answer is confirmed."""

    top: Annotated[int, Field(ge=1, le=10_000)] = 5
    seeds: Annotated[int, Field(ge=2, le=10_000)] = 10
    margin: Positive = 0.01


class Experiment(Section):
    """One experiment: the whole TOML file. Paths in it are absolute."""

    name: Annotated[str, AfterValidator(check_name)]
    data: Data
    model: Model = Model()
    training: Training = Training()
    lambdas: LambdaAxes = LambdaAxes()
    sweep: Sweep = Sweep()
    confirm: Confirm = Confirm()

    @model_validator(mode="after")
    def _has_a_bottom(self) -> Self:
        for name, axis in self.lambdas.axes.items():
            if isinstance(axis, Range) and axis.low * 10**-self.sweep.off_decades < sys.float_info.min:
                raise ValueError(
                    f"lambdas.{name}.low is {axis.low:g}, and sweep.off_decades = {self.sweep.off_decades:g} below it no number "
                    "is left for off; write a larger low or fewer decades"
                )
        return self

    @property
    def maximize(self) -> bool:
        """Whether a larger objective is better."""
        return self.sweep.objective != "val_data_loss"

    @functools.cached_property
    def identity(self) -> dict[str, Any]:
        """What decides the numbers of a trial, as `{"training.epochs": 30, ...}`: the input of the fingerprint.

        Raises OSError where a data file cannot be read.
        """
        parts = self.model_dump(mode="json", include={"data", "model", "training", "lambdas", "sweep"})
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
        return TrainConfig(hidden=self.model.hidden, initialization=self.model.initialization, **training)


def digest(identity: Mapping[str, Any]) -> str:
    """SHA-256 of an identity as canonical JSON: sorted keys, no spaces."""
    return hashlib.sha256(json.dumps(identity, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def flatten(table: Mapping[str, Any], prefix: str = "") -> list[tuple[str, Any]]:
    """Tables in tables as rows of dotted keys and their values, such as `("training.epochs", 30)`."""
    rows: list[tuple[str, Any]] = []
    for key, value in table.items():
        rows += flatten(value, f"{prefix}{key}.") if isinstance(value, dict) else [(f"{prefix}{key}", value)]
    return rows


def nearest(word: str, known: list[str]) -> str:
    """`; did you mean X?` where a known word is near, else the list of known words."""
    close = difflib.get_close_matches(word, known, n=1, cutoff=0.6)
    return f"did you mean {close[0]!r}?" if close else f"known are {', '.join(known)}"
