"""Checks of arguments: one sentence that names the argument, its value, the rule and the remedy."""

import math
import operator
from collections.abc import Sequence
from typing import Any


def whole_number(name: str, value: Any, *, low: int, remedy: str) -> int:
    """Return `value` as an int of at least `low`; NumPy's integers count, booleans do not."""
    message = f"{name} is {value!r}; it must be a whole number of at least {low}. {remedy}"
    try:
        number = operator.index(value)
    except TypeError:
        raise TypeError(message) from None
    if isinstance(value, bool):
        raise TypeError(message)
    if number < low:
        raise ValueError(message)
    return number


def seed_number(name: str, value: object) -> int:
    """Return `value` as a seed: a whole number of at least 0."""
    return whole_number(name, value, low=0, remedy="Any whole number from 0 up will do.")


def real_number(
    name: str, value: Any, *, high: float = math.inf, positive: bool = False, remedy: str
) -> float:
    """Return `value` as a finite float of at least 0 (above 0 where `positive`) and below `high`.

    Real scalars of Python and NumPy count; booleans, text, arrays and complex numbers do not.
    """
    rule = f"a finite number {'greater than' if positive else 'of at least'} 0"
    if high < math.inf:
        rule += f" and less than {high:g}"
    message = f"{name} is {value!r}; it must be {rule}. {remedy}"
    if isinstance(value, (bool, str, bytes)) or type(value).__name__ == "bool":
        raise TypeError(message)
    try:
        number = math.nan if getattr(value, "shape", ()) else float(value)
    except TypeError:
        raise TypeError(message) from None
    except OverflowError:  # an int beyond float64
        number = math.inf
    if not 0 <= number < high or (positive and number == 0):
        raise ValueError(message)
    return number + 0.0  # -0.0 becomes 0.0, so that equal numbers print and hash alike


def one_of(name: str, value: Any, allowed: Sequence[str]) -> str:
    """Return `value` if it is one of the allowed words."""
    if not isinstance(value, str) or value not in allowed:
        kind = ValueError if isinstance(value, str) else TypeError
        raise kind(f"{name} is {value!r}; use one of {', '.join(map(repr, allowed))}.")
    return value
