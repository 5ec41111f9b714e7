"""The experiment: what is trained on what data, and how it is searched; one TOML file, frozen."""

import functools
import hashlib
from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self

from pydantic import (
    AfterValidator,
    model_validator,
)

from experiments.data_section import Data
from experiments.digest import digest
from experiments.evaluation import PARAMETER, SEEDS, EvaluationSpec, Job, Setting
from experiments.model_section import Model, ModelSection, OwnModel
from experiments.names import valid_name
from experiments.search_section import Confirm, LambdaAxes, SweepSection
from experiments.section import (
    ParameterRange,
    Range,
    RateRange,
    Section,
)
from experiments.training_section import Training
from nnreg import LAMBDA_NAMES, TrainConfig

DIGEST = "sha256:"  # how a file begins in an identity
OF_BUILT_IN = (  # keys that a user's own network is not told
    *(("training", key) for key in ("decay", "optimizer", "momentum", "epsilon")),
    *(("training", "beta_1"), ("training", "beta_2"), ("lambdas", "layers")),
)
OF_OWN = (("sweep", "pruner"),)  # the key that goes with a user's own network alone
OF_PROGRAM = "outer_fold"  # the key of [data.split] that the program sets


class Experiment(Section):
    """One experiment: the whole TOML file. Paths in it are absolute."""

    name: Annotated[str, AfterValidator(valid_name)]
    """Names the study, the folder of its reports, and the experiment on MLflow."""
    data: Data
    model: Model = ModelSection()
    training: Training = Training()
    lambdas: LambdaAxes = LambdaAxes()
    sweep: SweepSection = SweepSection()
    confirm: Confirm = Confirm()

    @model_validator(mode="after")
    def _has_trials_with_penalties(self) -> Self:
        if self.baseline_trials > self.sweep.trials:
            raise ValueError(
                f"sweep.baseline is {self.sweep.baseline}, and sweep.trials is"
                f" {self.sweep.trials}; baseline trials count towards trials, so raise trials or"
                " lower baseline"
            )
        return self

    @model_validator(mode="after")
    def _leaves_an_own_network_alone(self) -> Self:
        if self.own is None and self.sweep.pruner:
            raise ValueError(
                f"sweep.pruner is {self.sweep.pruner!r}, and goes with a network of your own"
                " (model.source): this program's networks are trained together, so to stop one"
                " saves nothing; remove it"
            )
        if self.sweep.pruner and self.folds:
            raise ValueError(
                f"sweep.pruner is {self.sweep.pruner!r}, and compares trials of one network, but"
                " data.split.folds trains several per trial; remove one of the two"
            )
        if self.sweep.pruner and self.training.keep == "last":
            raise ValueError(
                f"sweep.pruner is {self.sweep.pruner!r}, and compares best epochs, but the last one"
                ' is kept; write training.keep = "best"'
            )
        for section, key in OF_BUILT_IN if self.own else ():
            table = getattr(self, section)
            if getattr(table, key) != type(table).model_fields[key].default:
                raise ValueError(
                    f"{section}.{key} goes with this program's network, and model.source names your"
                    " own; remove it, and set it in your code"
                )
        return self

    @property
    def own(self) -> OwnModel | None:
        """The section of a user's own network, if it is one."""
        return self.model if isinstance(self.model, OwnModel) else None

    @property
    def nuisances(self) -> dict[str, RateRange | ParameterRange]:
        """The ranges that are tuned in both arms, by column: the learning rate, the parameters."""
        rates = {"learning_rate": self.rates} if self.rates else {}
        tuned = self.own.tuned if self.own else {}
        return {**rates, **{f"{PARAMETER}{name}": one for name, one in tuned.items()}}

    @property
    def searched(self) -> dict[str, Range | ParameterRange]:
        """The axes that are ranges: those of the lambdas in their order, then the nuisances."""
        return {**self.lambdas.searched, **self.nuisances}

    @property
    def setting_columns(self) -> tuple[str, ...]:
        """The names of all that is tuned: the lambdas, the learning rate, the parameters."""
        parameters = [name for name in self.nuisances if name.startswith(PARAMETER)]
        return *LAMBDA_NAMES, "learning_rate", *parameters

    @property
    def rates(self) -> RateRange | None:
        """The range of the learning rate; None if it is fixed."""
        axis = self.training.learning_rate
        return axis if isinstance(axis, RateRange) else None

    @property
    def baseline_trials(self) -> int:
        """How many trials the baseline arm has: one where there is nothing to tune."""
        return self.sweep.baseline if self.nuisances else 1

    @property
    def first_generation(self) -> int:
        """The size of generation 0: the baseline arm, where there is something to tune."""
        return self.sweep.baseline if self.nuisances else self.sweep.generation

    @property
    def kept_by(self) -> str | None:
        """The curve whose best epoch is kept; None if the last epoch is."""
        return self.sweep.objective if self.training.keep == "best" else None

    @property
    def maximize(self) -> bool:
        """Whether a larger objective is better."""
        return self.sweep.objective != "val_data_loss"

    @property
    def direction(self) -> Literal["maximize", "minimize"]:
        """The same in Optuna's words."""
        return "maximize" if self.maximize else "minimize"

    @functools.cached_property
    def identity(self) -> dict[str, Any]:
        """What decides the numbers of a trial, as `{"training.epochs": 30, ...}`.

        Raises OSError if a data file cannot be read.
        """
        parts = self.model_dump(mode="json", exclude={"name", "confirm"})
        for key, path in self.data.files.items():
            with path.open("rb") as file:
                parts["data"][key] = f"{DIGEST}{hashlib.file_digest(file, 'sha256').hexdigest()}"
        del parts["sweep"]["trials"]
        for key in self.data.split.settled:  # studies of earlier versions have no such keys
            del parts["data"]["split"][key]
        if self.own is None:
            del parts["sweep"]["pruner"]  # the same
        else:
            parts["model"] |= {
                "source": self.own.name,
                "code": f"{DIGEST}{self.own.network.digest}",
            }
            del parts["model"]["directory"]
        return dict(sorted(flatten(parts)))

    @property
    def fingerprint(self) -> str:
        """The digest of the identity."""
        return digest(self.identity)

    def train_config(self, learning_rate: float | None = None) -> TrainConfig:
        """The same settings as `nnreg.train` takes them, with a learning rate where it is tuned."""
        training = self.training.model_dump(exclude={"keep"})
        if training["batch_size"] == "full":
            training["batch_size"] = None
        if self.rates:
            training["learning_rate"] = learning_rate or TrainConfig.learning_rate
        return TrainConfig(**training, **({} if self.own else vars(self.model)))

    @property
    def folds(self) -> int:
        """How many networks a trial trains in a cross-validation; 0 without folds."""
        return (self.data.split.folds or 0) * self.data.split.repeats

    def job(self, setting: Setting) -> Job:
        """What a trial of this setting trains."""
        folds = tuple(range(self.folds))
        return Job(setting, (self.training.seed,) * max(1, self.folds), folds=folds)

    @property
    def outer_folds(self) -> int:
        """How many searches, each with an outer fold of its own, test this one; often 0."""
        split = self.data.split
        return 0 if split.outer_fold else split.outer or 0

    def of_outer_fold(self, fold: int) -> Self:
        """Return the experiment that tests on an outer fold, from 1. It has other seeds: what is
        lucky for one fold is not for all.
        """
        split = self.data.split.model_copy(update={"outer_fold": fold})
        data = self.data.model_copy(update={"split": split})
        training, sweep = (
            one.model_copy(update={"seed": (one.seed + fold) % SEEDS})
            for one in (self.training, self.sweep)
        )
        tables = {name: getattr(self, name) for name in type(self).model_fields}
        tables |= {"data": data, "training": training, "sweep": sweep}
        return type(self)(**tables)  # a copy would keep the old identity

    def evaluation(self, arrays: str) -> EvaluationSpec:
        """What all networks of the experiment have in common, on the split behind `arrays`. Raises
        InputError if the user's own network cannot be read.
        """
        own = self.own.network if self.own else None
        config, layers = self.train_config(), self.lambdas.layers
        return EvaluationSpec(config, layers, arrays, self.kept_by, own=own)


def flatten(table: Mapping[str, Any], prefix: str = "") -> list[tuple[str, Any]]:
    """Return tables in tables as dotted keys with values, such as `("training.epochs", 30)`."""
    rows: list[tuple[str, Any]] = []
    for key, value in table.items():
        dotted = f"{prefix}{key}"
        rows += flatten(value, f"{dotted}.") if isinstance(value, dict) else [(dotted, value)]
    return rows
