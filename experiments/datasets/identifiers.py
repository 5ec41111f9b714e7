"""The identifiers: columns that name rows, or the things that several rows are of."""

import re
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from experiments.datasets.values import FEW_DIFFERENT
from experiments.wording import toml

FEWEST = 10  # rows; fewer say nothing
LARGEST = 2.0**53  # a quantity has fewer digits; a float does not tell larger numbers apart
INDEX = re.compile(r"unnamed: \d+|__index_level_\d+__|level_\d+|row[ ._]?names?", re.IGNORECASE)
WORD = re.compile("[A-Z]?[a-z]+|[A-Z]+(?![a-z])")
# Things that several rows may be of, and what else names rows where each has its own.
THINGS = frozenset(
    ["id", "ids", "uuid", "guid", "customer", "client", "user", "patient", "subject", "person"]
)
NUMBERED = THINGS | {"key", "nr", "no", "num", "number", "index", "serial", "phone", "ticket"}
UNIQUE = re.compile("[0-9a-f]{8}-([0-9a-f]{4}-){3}[0-9a-f]{12}|[0-9a-f]{16,}", re.IGNORECASE)


def _words(name: str) -> set[str]:
    words = {word.lower() for word in WORD.findall(name)}
    return words | {word.removesuffix("id") for word in words}  # such as userid


def of_numbers(name: str, numbers: NDArray[np.float64]) -> str:
    """Return why a column of numbers is one of ids, if it is."""
    different = np.unique(numbers[~np.isnan(numbers)])
    if len(numbers) < FEWEST or not len(different) or (different != np.floor(different)).any():
        return ""
    if np.abs(different).max() >= LARGEST:
        return "has numbers of 16 digits or more, as ids have"
    if INDEX.fullmatch(name):
        return "is an index that another program wrote"
    if len(different) < len(numbers):
        return _repeated(name, len(different), len(numbers))
    gapless = different[-1] - different[0] == len(numbers) - 1
    if gapless or _words(name) & NUMBERED:
        return "is a different whole number in every row" + ", without a gap" * bool(gapless)
    return ""


def of_texts(name: str, different: Sequence[str], rows: int) -> str:
    """Return why a column of categories is one of ids, if it is."""
    if rows >= FEWEST and all(map(UNIQUE.fullmatch, different)):
        return f"holds hashes or UUIDs; {_group(name)}"
    return _repeated(name, len(different), rows)


def _repeated(name: str, different: int, rows: int) -> str:
    if different <= FEW_DIFFERENT or not _words(name) & THINGS:
        return ""
    return f"has {different} ids in {rows} rows; {_group(name)}"


def _group(name: str) -> str:
    return f"for groups, split.group = {toml(name)}"
