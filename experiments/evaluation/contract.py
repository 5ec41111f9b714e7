"""The contract of one evaluation: what goes in, and what comes out."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from nnreg import Lambdas, TrainConfig
from nnreg.network import LayerParameters

if TYPE_CHECKING:
    from experiments.network import OwnNetwork

Number = int | float


@dataclass(frozen=True)
class EvaluationSpec:
    """What all jobs have in common. `layers` is "all" or "hidden" (all but the last are penalised);
    `arrays` is a folder made by `stored`, or a key of HELD; `keep` is the curve whose best epoch is
    kept (None: the last epoch is); `with_networks` asks for the networks as well; `all_rows` trains
    on the validation rows too; `compiled` trains in compiled loops, where the process can.

    `own` is a user's own network, which has its own layers, and takes of `config` the epochs and
    the size of a batch. For it alone: `rows` (x, y) of each fold are answered in place of the
    validation rows; `medians` of the curve to keep, by epoch, end a network whose best so far is
    worse.
    """

    config: TrainConfig
    layers: str
    arrays: str
    keep: str | None = None
    with_networks: bool = False
    all_rows: bool = False
    compiled: bool = False
    own: "OwnNetwork | None" = None
    rows: tuple[tuple[np.ndarray, np.ndarray], ...] = ()
    medians: tuple[float, ...] = ()


@dataclass(frozen=True)
class Setting:
    """What is tuned: the lambdas, and the nuisances, of which `parameters` are those of a user's
    own network, as (name, value).
    """

    lambdas: Lambdas
    learning_rate: float
    parameters: tuple[tuple[str, Number], ...] = ()

    @property
    def on(self) -> tuple[str, ...]:
        """Names of the lambdas above 0, in order."""
        return self.lambdas.on

    @property
    def arm(self) -> str:
        return PENALISED if self.on else BASELINE

    @property
    def numbers(self) -> dict[str, Number]:
        """The four lambdas, the learning rate and the parameters, by the names of their columns."""
        own = {f"{PARAMETER}{name}": value for name, value in self.parameters}
        return {**vars(self.lambdas), "learning_rate": self.learning_rate, **own}

    @property
    def as_json(self) -> dict[str, Any]:
        """The same as nested JSON, which identifies it on a study and in a model."""
        own = {"parameters": dict(self.parameters)} if self.parameters else {}
        return {"lambdas": vars(self.lambdas), "learning_rate": self.learning_rate, **own}


PARAMETER = "parameter_"
"""What the columns of a user's own parameters begin with."""


def parameters_of(numbers: Mapping[str, Any]) -> tuple[tuple[str, Number], ...]:
    """Return the user's own parameters among numbers by column, in the order of their names."""
    own = [name for name in numbers if name.startswith(PARAMETER)]
    return tuple(sorted((name.removeprefix(PARAMETER), numbers[name]) for name in own))


SEEDS = 2**32  # how many there are

PENALISED, BASELINE = "penalised", "baseline"
"""The arms: at least one lambda is on, or all four are off."""


@dataclass(frozen=True)
class Job:
    """A setting to train once per seed; its networks share one kept epoch. `stop` ends training
    after so many epochs, and keeps the last of them. `folds` are the fold of each seed, from 0;
    none where there is one split.
    """

    setting: Setting
    seeds: tuple[int, ...]
    stop: int | None = None
    folds: tuple[int, ...] = ()

    @property
    def networks(self) -> list[tuple[int, int]]:
        """The seed and the fold of each network. Each fold has its own initial weights: what is
        lucky for one is not for all.
        """
        folds = self.folds or (0,) * len(self.seeds)
        return [((seed + fold) % SEEDS, fold) for seed, fold in zip(self.seeds, folds, strict=True)]

    def alone(self) -> list["Job"]:
        """Return a job for each network."""
        return [
            replace(self, seeds=self.seeds[place : place + 1], folds=self.folds[place : place + 1])
            for place in range(len(self.seeds))
        ]


@dataclass(frozen=True, kw_only=True)
class Metrics:
    """The numbers of the kept epoch, under the names that they have everywhere. A user's own
    network need not have those that are optional here.
    """

    data_loss: float
    regularization_loss: float | None = None
    total_loss: float | None = None
    penalty_weight_l1: float | None = None
    penalty_weight_l2: float | None = None
    penalty_bias_l1: float | None = None
    penalty_bias_l2: float | None = None
    val_data_loss: float
    val_accuracy: float
    balanced_val_accuracy: float
    train_accuracy: float | None = None
    near_zero_weights: float | None = None

    @property
    def known(self) -> dict[str, float]:
        """Those that there are, by name."""
        return {name: value for name, value in vars(self).items() if value is not None}


VALIDATED = ("val_data_loss", "val_accuracy", "balanced_val_accuracy")
DEVIATIONS = tuple(f"{name}_sd" for name in VALIDATED)
METRICS = tuple(Metrics.__dataclass_fields__)
CURVES = ("data_loss", "regularization_loss", "val_data_loss", "val_accuracy", "train_accuracy")


@dataclass(frozen=True, kw_only=True)
class LayerTerms:
    """A trained layer: its penalties, in the order of the lambdas, and share of weights near 0."""

    penalties: tuple[float, ...]
    near_zero_weights: float


@dataclass(frozen=True, kw_only=True, eq=False)
class TrainedNetwork:
    """A network, with the loss and the hit of each validation row (see `row_answers`). A user's own
    has no layers, and `arrays` if it can be kept as arrays; `by_epoch` are its answers at the end
    of each epoch, `diverged` is how it diverged at the last.
    """

    __pydantic_config__: ClassVar = {"arbitrary_types_allowed": True}

    losses: np.ndarray
    hits: np.ndarray
    parameters: list[LayerParameters] = field(default_factory=list)
    layers: tuple[LayerTerms, ...] = ()
    arrays: Mapping[str, np.ndarray] | None = None
    diverged: str | None = None
    by_epoch: tuple[tuple[np.ndarray, np.ndarray], ...] = ()


@dataclass(frozen=True, kw_only=True)
class TrialResult:
    """What was measured of one network, or of all networks of a cross-validation: their means, and
    the standard `deviations` of those on their validation rows, DEVIATIONS. `best_epoch` is the
    kept one, from 1; 0 where there is no network. Networks trained in lockstep share their task's
    time: each gets an equal part of it, one after the other, from `started` to `finished` (UTC),
    which is `seconds` long.
    """

    metrics: Metrics | None
    curves: Mapping[str, tuple[float, ...]] = field(default_factory=dict)
    diverged: bool = False
    epochs: int
    best_epoch: int
    seconds: float
    started: datetime
    finished: datetime
    error: str | None = None
    pruned: bool = False
    network: TrainedNetwork | None = None
    deviations: Mapping[str, float] = field(default_factory=dict)


Evaluated = tuple[TrialResult, ...]
"""The results of one job, one for each of its seeds."""
