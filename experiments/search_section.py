"""The tables [lambdas], [sweep] and [confirm]: what is searched, and how it is confirmed."""

from collections.abc import Callable
from typing import Annotated, Any, Literal, get_args

from pydantic import BeforeValidator, Field, PlainSerializer, WrapValidator

from experiments.section import WIDE, NumberOrRange, Positive, Range, Section, Seed
from nnreg import LAMBDA_NAMES

MOST_TRIALS = 10_000_000

Objective = Literal["val_accuracy", "balanced_val_accuracy", "val_data_loss"]
Sampler = Literal["tpe", "random", "qmc", "cmaes"]
OBJECTIVES, SAMPLERS = get_args(Objective), get_args(Sampler)


def is_function(sampler: object) -> bool:
    """Whether a sampler is named as a function of the user's own, `module:qualname`."""
    return isinstance(sampler, str) and ":" in sampler


def _or_function(value: object, handler: Callable[[object], Any]) -> Any:
    return value if is_function(value) else handler(value)


SamplerName = Annotated[Sampler, WrapValidator(_or_function), PlainSerializer(str, return_type=str)]


def _check_objective(value: object) -> object:
    if value == "total_loss":
        raise ValueError(
            "total_loss holds the penalty itself, so a search would win by switching the penalty"
            f" off; use one of {', '.join(OBJECTIVES)}"
        )
    return value


class LambdaAxes(Section):
    """[lambdas]: what is searched."""

    weight_l1: NumberOrRange = WIDE
    """The penalty on the sum of |weights|: drives weights to zero."""
    weight_l2: NumberOrRange = WIDE
    """The penalty on the sum of weights^2: keeps weights small."""
    bias_l1: NumberOrRange = WIDE
    """The penalty on the sum of |biases|."""
    bias_l2: NumberOrRange = WIDE
    """The penalty on the sum of biases^2."""
    layers: Literal["all", "hidden"] = "all"
    """The layers that are penalised: "all", or "hidden" (all but the last)."""

    @property
    def axes(self) -> dict[str, Range | float]:
        """The four axes, in their order."""
        return {name: getattr(self, name) for name in LAMBDA_NAMES}

    @property
    def searched(self) -> dict[str, Range]:
        """The axes that are ranges, in their order; the other lambdas are fixed."""
        return {name: axis for name, axis in self.axes.items() if isinstance(axis, Range)}


class SweepSection(Section):
    """[sweep]: how it is searched."""

    trials: Annotated[int, Field(ge=1, le=MOST_TRIALS)] = 100
    """The total number of trials, also after an interruption."""
    baseline: Annotated[int, Field(ge=1, le=10_000)] = 16
    """How many trials have no penalty, each with another learning rate; 1 if that is fixed."""
    generation: Annotated[int, Field(ge=1, le=10_000)] = 16
    """Trials proposed together: more use more cores, fewer let the sampler learn sooner."""
    sampler: SamplerName = "tpe"
    """How trials are proposed: "tpe", "random", "qmc", "cmaes"."""
    objective: Annotated[Objective, BeforeValidator(_check_objective)] = "val_accuracy"
    """What is optimised: "val_accuracy", "balanced_val_accuracy", "val_data_loss"."""
    pruner: Annotated[Literal["median"] | None, Field(examples=["median"])] = None
    """For slow networks of your own: "median" ends a trial that does worse than the median."""
    off_decades: Annotated[float, Field(gt=0, le=100)] = 1.0
    """How many decades below the low end of each range mean off."""
    seed: Seed = 0
    """Another seed proposes other trials."""


class Confirm(Section):
    """[confirm]: how the answer is confirmed."""

    top: Annotated[int, Field(ge=1, le=10_000)] = 5
    """How many of the best trials are trained again."""
    seeds: Annotated[int, Field(ge=2, le=10_000)] = 10
    """How many fresh seeds each of them is trained with."""
    margin: Positive = 0.01
    """The smallest difference in accuracy that matters."""
    references: bool = True
    """Whether simple models of scikit-learn are fitted and tested on the same rows."""
