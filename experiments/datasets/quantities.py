"""The quantities: a target that holds amounts has no classes, and how to make some of it."""

import numpy as np
from numpy.typing import NDArray

from experiments.datasets import numbers, values

FEW_WHOLE, FEW_DECIMALS = 20, 10  # up to so many different numbers may be classes
ROWS_EACH = 50  # of more whole numbers with gaps; classes have so many rows
ROWS_EACH_COUNTED = 5  # of more that count from 0 or 1 without gaps, as numbers of classes do


def advice(target: str, labels: NDArray[np.object_]) -> str:
    """Return the line of pandas that makes classes of labels that are amounts, or else nothing."""
    import pandas as pd

    names = pd.Series(sorted(set(labels)), dtype="str")
    column, notation = f"table[{target!r}]", None
    if not all(map(values.NUMBER.fullmatch, names)):
        written = numbers.notations(names.tolist())
        if written is None or not written.fits:
            return ""
        notation = written.fits[0]
        digits = f'{column}.str.replace(r"[^0-9{notation.decimal}-]", "", regex=True)'
        column = f'pd.to_numeric({digits}.str.replace("{notation.decimal}", "."))'
    different, _ = values.parse_numbers(names, (), notation)
    if not _is_quantity(np.unique(different), len(labels)):
        return ""
    third = '[0, 1/3, 2/3, 1], labels=["low", "middle", "high"]'
    return f"table[{target!r}] = pd.cut({column}.rank(pct=True), {third})"


def _is_quantity(different: NDArray[np.float64], rows: int) -> bool:
    if (different != np.floor(different)).any():
        return len(different) > FEW_DECIMALS
    counted = different[0] in (0, 1) and different[-1] - different[0] == len(different) - 1
    each = ROWS_EACH_COUNTED if counted else ROWS_EACH
    return len(different) > FEW_WHOLE and rows < each * len(different)
