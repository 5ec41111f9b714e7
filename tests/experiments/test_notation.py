"""Numbers as people write them: an example is a rule, and the rule reads what it shows."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from experiments.datasets.values import parse_numbers
from experiments.notation import GROUPS, Notation

NOTATIONS = st.builds(
    Notation,
    st.sampled_from(list(GROUPS)),
    st.sampled_from([".", ","]),
    st.sampled_from(["", "$", "€", "USD", "R$"]),
    st.sampled_from(["", "%", "cm", "km/h", "m²", "°C"]),
).filter(lambda notation: notation.thousands != notation.decimal)


def read(texts: list[object], example: str) -> list[float]:
    numbers, bad = parse_numbers(pd.Series(texts), ("", "NA"), Notation.of(example))
    assert bad is None
    return numbers.tolist()


@given(NOTATIONS, st.decimals(-(10**9), 10**9, places=3))
def test_an_example_says_all_of_a_notation(notation: Notation, number: object) -> None:
    assert Notation.of(notation.example) == notation
    swap = str.maketrans(",.", f"{notation.thousands or '_'}{notation.decimal}")
    text = f"{number:,}".translate(swap).replace("_", "")
    written = f"{notation.before}{text} {notation.behind}"
    assert read([written], notation.example) == [float(str(number))]


@pytest.mark.parametrize(
    ("example", "text", "number"),
    [
        ("1 000", "5\u00a0941", 5941),
        ("1 000,5", "5\u202f941,25", 5941.25),
        ("1'000", "1\u2019005\u2019941.5", 1005941.5),
        ("1,000", "12,34,567", 1234567),  # as in India
        ("$1", "-$5", -5),
        ("$1", "$ -5.5", -5.5),
        ("$1", "($5)", -5),
        ("1", "\u22125", -5),
        ("1", "(5)", -5),
        ("1,5", "1,5e-3", 0.0015),
        ("1,5", ",5", 0.5),
        ("1.000,5", "1.005,50-", -1005.5),  # as SAP has it
        ("1 cm", "150", 150),
        ("1 cm", "3.5cm", 3.5),
    ],
)
def test_what_a_notation_reads(example: str, text: str, number: float) -> None:
    assert read([text], example) == [number]


@pytest.mark.parametrize(
    ("example", "text"),
    [
        *(("1,5", "1.5"), ("1,000", "1,5"), ("1.000", "5.94"), ("1 cm", "1.5 m"), ("1 %", "%")),
        *(
            ("1,000", "0,123"),
            ("1,000", "1,0000"),
            ("1 000", "1  000"),
            ("$1", "€1"),
            ("1", "1,5"),
            ("1", "nan"),
        ),
    ],
)
def test_what_a_notation_does_not_read(example: str, text: str) -> None:
    assert parse_numbers(pd.Series(["NA", text]), ("NA",), Notation.of(example))[1] == 1


def test_numbers_that_are_none_of_text_need_no_notation() -> None:
    assert read([5.5, "1,5", 3, None], "1,5")[:3] == [5.5, 1.5, 3]
    numbers, bad = parse_numbers(pd.Series([5.5, np.nan]), (), Notation.of("1,5"))
    assert bad is None
    assert numbers[0] == 5.5


@pytest.mark.parametrize("example", ["", "cm", "1.000.5", "1,2,3", "one", "1 - 2"])
def test_what_is_no_example(example: str) -> None:
    with pytest.raises(ValueError, match="write one such as"):
        Notation.of(example)
