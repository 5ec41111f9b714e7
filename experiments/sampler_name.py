"""The name of a sampler: one of ours, or that of a function of the user's own."""

from collections.abc import Callable
from typing import Annotated, Any, Literal

from pydantic import PlainSerializer, WrapValidator


def is_function(name: object) -> bool:
    """Whether this is a function of Python that makes samplers, `module:qualname`; it has to be
    given from Python too.
    """
    return isinstance(name, str) and ":" in name


def _or_function(value: object, handler: Callable[[object], Any]) -> Any:
    return value if is_function(value) else handler(value)


SamplerName = Annotated[
    Literal["tpe", "random", "qmc", "cmaes"],
    WrapValidator(_or_function),
    PlainSerializer(str, return_type=str),
]
