"""What the tables of the experiment file are made of: their base, and the types of their keys."""

import math
from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Self, get_args

from pydantic import BaseModel, ConfigDict, Discriminator, Field, Tag, model_validator
from pydantic.fields import FieldInfo

Seed = Annotated[int, Field(ge=0, lt=2**32)]
Share = Annotated[float, Field(ge=0, lt=1, allow_inf_nan=False)]
Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Names = Annotated[tuple[str, ...], Field(strict=False)]

EDGE_SHARE = 0.05
SMALLEST_LOW = 1e-100  # an axis goes up to 100 decades below, and no float is there to be lost


class Section(BaseModel):
    """A table of the experiment file."""

    model_config = ConfigDict(
        extra="forbid", frozen=True, strict=True, allow_inf_nan=False, use_attribute_docstrings=True
    )


def plain_keys(section: type[Section]) -> dict[str, FieldInfo]:
    """Return the keys of a table but those that are tables of their own."""
    return {name: one for name, one in section.model_fields.items() if not tables(one.annotation)}


def tables(annotation: Any) -> list[type[Section]]:
    """Return the tables that a type stands for: one, or some of which one is written."""
    kinds = [get_args(one)[0] if get_args(one) else one for one in get_args(annotation)]
    kinds = kinds or [annotation]
    are_tables = all(isinstance(one, type) and issubclass(one, Section) for one in kinds)
    return kinds if are_tables else []


class Range(Section):
    """What is searched for one lambda: log-uniform from low to high, and off below low."""

    low: float = 1e-6
    high: float = 1e-1
    fixed: ClassVar[str] = "To switch it off, write 0 in place of the range"
    is_log: ClassVar[bool] = True

    @model_validator(mode="after")
    def _is_a_log_axis(self) -> Self:
        if self.low < SMALLEST_LOW:
            raise ValueError(
                f"low is {self.low:g}; a log axis needs low > 0, and at least {SMALLEST_LOW:g}."
                f" {self.fixed}"
            )
        if self.low >= self.high:
            ends = f"low = {self.low:g} is not below high = {self.high:g}"
            raise ValueError(f"{ends}; write low < high, or one number to fix it")
        return self

    def at(self, share: float) -> float:
        """Return the value at a share of the axis, from 0 to 1."""
        return float(self.low * (self.high / self.low) ** share)

    def ends_near(self, value: float) -> bool:
        """Whether a value lies in the uppermost twentieth of the log axis."""
        return math.log(self.high / value) <= EDGE_SHARE * math.log(self.high / self.low)

    def begins_near(self, value: float) -> bool:
        """Whether a value lies in the lowest twentieth of the log axis."""
        return math.log(value / self.low) <= EDGE_SHARE * math.log(self.high / self.low)


class RateRange(Range):
    """What is searched for the learning rate: log-uniform from low to high."""

    low: float = 3e-4
    high: float = 1e-1
    fixed: ClassVar[str] = "To fix the learning rate, write one number in place of the range"


class ParameterRange(Section):
    """What is searched for a parameter of a user's own network, evenly from low to high, or on a
    log axis. Whole numbers at both ends mean whole numbers between them.
    """

    low: int | float
    high: int | float
    log: bool = False

    @model_validator(mode="after")
    def _is_an_axis(self) -> Self:
        if self.low >= self.high:
            ends = f"low = {self.low:g} is not below high = {self.high:g}"
            raise ValueError(f"{ends}; write low < high, or one value to fix it")
        if self.log and self.low <= 0:
            raise ValueError(f"low is {self.low:g}; a log axis needs low > 0; leave log out")
        return self

    @property
    def is_log(self) -> bool:
        return self.log

    @property
    def whole(self) -> bool:
        """Whether it is searched in whole numbers."""
        return isinstance(self.low, int) and isinstance(self.high, int)

    def at(self, share: float) -> int | float:
        """Return the value at a share of the axis, from 0 to 1."""
        ratio, width = self.high / self.low if self.log else 1.0, self.high - self.low
        value = float(self.low * ratio**share if self.log else self.low + width * share)
        return round(value) if self.whole else value


def _number_or_range(value: object) -> str | None:
    if isinstance(value, Mapping | Range):
        return "range"
    return "number" if isinstance(value, int | float) else None


def _axis(message: str) -> Discriminator:
    return Discriminator(_number_or_range, custom_error_type="axis", custom_error_message=message)


NumberOrRange = Annotated[
    Annotated[Range, Tag("range")] | Annotated[float, Field(ge=0), Tag("number")],
    _axis("a range such as { low = 1e-6, high = 1e-1 }, or a number (0 is off)"),
]
LearningRate = Annotated[
    Annotated[RateRange, Tag("range")] | Annotated[Positive, Tag("number")],
    _axis("a range such as { low = 3e-4, high = 1e-1 }, or a number greater than 0"),
]
Plain = bool | int | float | str
Parameter = Annotated[
    Annotated[ParameterRange, Tag("range")] | Annotated[Plain | list[Plain], Tag("value")],
    Discriminator(lambda one: "range" if isinstance(one, Mapping | ParameterRange) else "value"),
]
WIDE = Range()
