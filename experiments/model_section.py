"""The table [model]: the network of this program, or a user's own."""

import functools
from collections.abc import Callable, Mapping
from keyword import iskeyword
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, Discriminator, Field, PrivateAttr, Tag

from experiments import network
from experiments.errors import InputError
from experiments.network import GIVEN, OwnNetwork
from experiments.section import Parameter, ParameterRange, Section
from nnreg import TrainConfig

PASSED = ("split", "lambdas", *GIVEN)
FILE = ".py"


class ModelSection(Section):
    """[model]: the network of this program."""

    hidden: Annotated[
        tuple[Annotated[int, Field(ge=1, le=1_000_000)], ...], Field(strict=False, max_length=100)
    ] = TrainConfig.hidden
    """The neurons of each hidden layer: [64] is one layer, [64, 32] are two, [] is none."""
    initialization: Literal["he", "normal_0.01"] = "he"
    """The initial weights: "he" (suits ReLU) or "normal_0.01" (the book's)."""


def _check_parameters(parameters: dict[str, Any]) -> dict[str, Any]:
    for name in parameters:
        if not name.isidentifier() or iskeyword(name) or name in PASSED:
            raise ValueError(
                f"{name!r} cannot be a parameter; it must be a name of Python, and none of"
                f" {', '.join(PASSED)}, which are passed on anyway"
            )
    return parameters


class OwnModel(Section):
    """[model] of a user's own network: one function of Python."""

    source: str
    """The Python file, from this file's directory; `module:name` of a function from Python."""
    function: str = "train"
    """The function in it that trains the network."""
    parameters: Annotated[dict[str, Parameter], AfterValidator(_check_parameters)] = Field(
        default_factory=dict
    )
    """What else it is called with: a value is passed on, a range such as { low = 16, high = 64 } is
    tuned for both arms."""
    directory: str = ""
    """Where paths that it opens begin; by default the directory of this file."""
    _given: OwnNetwork | None = PrivateAttr(default=None)

    @classmethod
    def of(cls, function: Callable[..., Any], parameters: Mapping[str, Any]) -> Self:
        """Return the section of a function from Python. Raises InputError."""
        section = cls(source="?", parameters=dict(parameters))
        given = network.from_function(function, section.fixed)
        named = {"source": given.name, "function": given.function, "directory": given.directory}
        section = section.model_copy(update=named)
        section._given = given
        return section

    @functools.cached_property
    def network(self) -> OwnNetwork:
        """The function with the text of its code. Raises InputError."""
        if self._given is not None:
            return self._given
        if not self.has_file:
            raise InputError(
                f"model.source is {self.source!r}, a function of Python, and is given from Python:"
                " sweeps.run(..., model=FUNCTION); or put it in a file, and name that"
            )
        return network.from_file(Path(self.source), self.function, Path(self.directory), self.fixed)

    @property
    def tuned(self) -> dict[str, ParameterRange]:
        """The parameters that are ranges."""
        return {n: one for n, one in self.parameters.items() if isinstance(one, ParameterRange)}

    @property
    def fixed(self) -> dict[str, Any]:
        """The other parameters."""
        return {n: one for n, one in self.parameters.items() if n not in self.tuned}

    @property
    def has_file(self) -> bool:
        return self.source.endswith(FILE)

    @property
    def name(self) -> str:
        """The name of the file, or of the function from Python."""
        return Path(self.source).name if self.has_file else self.source


def _has_source(model: object) -> str:
    own = "source" in model if isinstance(model, Mapping) else isinstance(model, OwnModel)
    return "own" if own else "built_in"


Model = Annotated[
    Annotated[ModelSection, Tag("built_in")] | Annotated[OwnModel, Tag("own")],
    Discriminator(_has_source),
]
