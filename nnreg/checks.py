"""Checks: one sentence for a bad argument (what, its value, the rule, the remedy)."""

import math
import operator
from collections.abc import Sequence
from typing import Any


def whole_number(name: str, value: Any, *, low: int, remedy: str) -> int:
    """`value` as an int of at least `low`; NumPy's integers count, booleans do not."""
    try:
        if isinstance(value, bool):
            raise TypeError
        number = operator.index(value)
    except TypeError:
        raise TypeError(
            f"{name} is {value!r}; it must be a whole number of at least {low}. {remedy}"
        ) from None
    if number < low:
        raise ValueError(f"{name} is {value!r}; it must be at least {low}. {remedy}")
    return number


def real_number(
    name: str,
    value: Any,
    *,
    low: float = 0.0,
    high: float = math.inf,
    open_low: bool = False,
    remedy: str,
) -> float:
    """`value` as a finite float in [low, high), or in (low, high) with `open_low`; booleans do not
    count.
    """
    rule = f"a finite number {'greater than' if open_low else 'of at least'} {low:g}"
    if high < math.inf:
        rule += f" and less than {high:g}"
    number = as_float(value)
    if number is None:
        raise TypeError(f"{name} is {value!r}; it must be {rule}. {remedy}")
    if not math.isfinite(number) or number < low or number >= high or (open_low and number == low):
        raise ValueError(f"{name} is {value!r}; it must be {rule}. {remedy}")
    return number


def as_float(value: Any) -> float | None:
    """A real scalar (Python's or NumPy's) as a float; None for all else: text, booleans, arrays,
    complex numbers.
    """
    if (
        isinstance(value, (bool, str, bytes))
        or type(value).__name__ == "bool"
        or getattr(value, "shape", ()) != ()
    ):
        return None
    try:
        return float(value)
    except (TypeError, ValueError):
        return None
    except OverflowError:  # an int beyond float64 is as bad as infinity, and is reported as such
        return math.inf


def one_of(name: str, value: Any, allowed: Sequence[str]) -> str:
    """`value` if it is one of the allowed words."""
    listed = ", ".join(repr(word) for word in allowed)
    if not isinstance(value, str):
        raise TypeError(f"{name} is {value!r}; it must be a word. Use one of {listed}.")
    if value not in allowed:
        raise ValueError(f"{name} is {value!r}; no such {name} is known. Use one of {listed}.")
    return value
