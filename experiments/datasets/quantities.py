"""The quantities: a target that holds amounts has no classes, and how to make some of it."""

import re

import numpy as np
from numpy.typing import NDArray

from experiments.datasets.values import NUMBER
from experiments.notation import Notation

FEW_WHOLE, FEW_DECIMALS = 20, 10  # up to so many different numbers may be classes
ROWS_EACH = 50  # of more whole numbers with gaps; classes have so many rows
ROWS_EACH_COUNTED = 5  # of more that count from 0 or 1 without gaps, as numbers of classes do
CODE = re.compile(r"[^\W\d]\d")  # a letter right before a digit, as in k12
DECIMAL_COMMA = re.compile(r",([0-9]{1,2}|[0-9]{4,})(?![0-9])")
DECIMAL_POINT = re.compile(r"[.]([0-9]{1,2}|[0-9]{4,})(?![0-9])")
CLASSES = (["low", "high"], ["low", "middle", "high"])


def advice(target: str, labels: NDArray[np.object_]) -> str:
    """Return the line of pandas that makes classes of labels that are amounts, or else nothing."""
    names = sorted(set(labels))
    column, pattern = f"table[{target!r}]", "[^0-9eE.+-]"
    if not all(map(NUMBER.fullmatch, names)):
        if not _are_amounts(names):
            return ""
        comma = any(map(DECIMAL_COMMA.search, names)) or not any(map(DECIMAL_POINT.search, names))
        pattern = "[^0-9,-]" if comma else "[^0-9.-]"
        column = f'pd.to_numeric({column}.str.replace(r"{pattern}", "", regex=True)'
        column += '.str.replace(",", "."))' if comma else ")"
    numbers = {name: float(re.sub(pattern, "", name).replace(",", ".")) for name in names}
    different = sorted(set(numbers.values()))
    if not _is_quantity(np.array(different), len(labels)):
        return ""
    cuts = np.quantile([numbers[label] for label in labels], [1 / 3, 2 / 3], method="lower")
    bounds = sorted({*cuts.tolist()} - {different[-1]}) or [different[-2]]
    inner = ", ".join(map(repr, bounds))
    return (
        f'table[{target!r}] = pd.cut({column}, [float("-inf"), {inner}, float("inf")],'
        f" labels={CLASSES[len(bounds) - 1]})"
    )


def _are_amounts(names: list[str]) -> bool:
    """Return whether the texts are numbers as people write them, all with the same unit."""
    try:
        notations = [Notation.of(name) for name in names]
    except ValueError:
        return False
    units = {(one.before, one.behind) for one in notations} - {("", "")}
    return len(units) <= 1 and not any(map(CODE.search, names))


def _is_quantity(different: NDArray[np.float64], rows: int) -> bool:
    if (different != np.floor(different)).any():
        return len(different) > FEW_DECIMALS
    counted = different[0] in (0, 1) and different[-1] - different[0] == len(different) - 1
    each = ROWS_EACH_COUNTED if counted else ROWS_EACH
    return len(different) > FEW_WHOLE and rows < each * len(different)
