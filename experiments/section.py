"""What the tables of the experiment file are made of: their base, and the types of their keys."""

import math
from collections.abc import Mapping
from typing import Annotated, Self

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
    return {
        name: field
        for name, field in section.model_fields.items()
        if not isinstance(field.annotation, type) or not issubclass(field.annotation, Section)
    }


class Range(Section):
    """What is searched for one lambda: log-uniform from low to high, and off below low."""

    low: float = 1e-6
    high: float = 1e-1

    @model_validator(mode="after")
    def _is_a_log_axis(self) -> Self:
        if self.low < SMALLEST_LOW:
            raise ValueError(
                f"low is {self.low:g}; a log axis needs low > 0, and at least {SMALLEST_LOW:g}. To"
                " switch it off, write 0 in place of the range"
            )
        if self.low >= self.high:
            ends = f"low = {self.low:g} is not below high = {self.high:g}"
            raise ValueError(f"{ends}; write low < high, or one number to fix it")
        return self

    def ends_near(self, strength: float) -> bool:
        """Whether a strength lies in the uppermost twentieth of the log axis."""
        return math.log(self.high / strength) <= EDGE_SHARE * math.log(self.high / self.low)


def _number_or_range(value: object) -> str | None:
    if isinstance(value, Mapping | Range):
        return "range"
    return "number" if isinstance(value, int | float) else None


NumberOrRange = Annotated[
    Annotated[Range, Tag("range")] | Annotated[float, Field(ge=0), Tag("number")],
    Discriminator(
        _number_or_range,
        custom_error_type="axis",
        custom_error_message="a range such as { low = 1e-6, high = 1e-1 }, or a number (0 is off)",
    ),
]
WIDE = Range()
