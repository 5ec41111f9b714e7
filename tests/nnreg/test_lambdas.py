"""Lambdas: the four strengths, checked at birth."""

from dataclasses import fields
from decimal import Decimal
from fractions import Fraction

import numpy as np
import pytest

from nnreg import LAMBDA_NAMES, Lambdas


def test_names_are_the_fields_in_order() -> None:
    assert tuple(field.name for field in fields(Lambdas)) == LAMBDA_NAMES
    assert Lambdas(weight_l1=1, weight_l2=2, bias_l1=3, bias_l2=4).as_tuple() == (1, 2, 3, 4)
    assert Lambdas(weight_l2=1e-300, bias_l1=2).on == ("weight_l2", "bias_l1")


def test_all_off_unless_given() -> None:
    assert Lambdas() == Lambdas(weight_l1=0, weight_l2=0.0, bias_l1=-0.0, bias_l2=0)
    assert repr(Lambdas(weight_l1=-0.0)) == repr(Lambdas())
    assert Lambdas().on == ()


@pytest.mark.parametrize(
    "value",
    [0.25, np.float32(0.25), np.float64(0.25), np.array(0.25), Fraction(1, 4), Decimal("0.25")],
)
def test_real_numbers_become_floats(value: object) -> None:
    strength = Lambdas(weight_l1=value).weight_l1  # type: ignore[arg-type]
    assert type(strength) is float
    assert strength == 0.25


@pytest.mark.parametrize(
    "value",
    [-1e-9, np.nan, np.inf, 10**400, True, np.True_, "0.1", None, 1j, [0.1], np.array([0.1])],
)
def test_anything_else_is_refused(value: object) -> None:
    with pytest.raises((TypeError, ValueError), match="finite number of at least 0") as caught:
        Lambdas(bias_l1=value)  # type: ignore[arg-type]
    assert str(caught.value).startswith(f"bias_l1 is {value!r};")
