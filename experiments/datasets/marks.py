"""The marks: texts that mean no value, by what they are or by what they stand among."""

import re
from collections import Counter
from collections.abc import Collection, Sequence

from experiments.datasets import numbers, values
from experiments.datasets.files import RawTable

USUAL = re.compile(
    r"n[./]?[ad][.]?|k[.]a[.]|<na>|nan|nat|[(]?null[)]?|nil|\\n|#(n/a|na|null!|value!|div/0!|ref!|num!|name[?])",
    re.IGNORECASE,
)
WORDS = re.compile("none|unknown|missing|-+|[.]+", re.IGNORECASE)  # or a label
CODE = re.compile(r"(?=.*[0-9])(?=.*[^\W\d_]).*", re.DOTALL)  # digits and letters
MOST_ODD = 5  # different texts among many different numbers


def find(table: RawTable, missing: Collection[str]) -> dict[str, list[str]]:
    """Return the texts that mean no value, each with the columns that hold it."""
    labels = values.different(table.frame[table.target], missing)
    found: dict[str, list[str]] = {}
    for name, column in table.frame.items():
        if column.dtype.kind not in "biufcmM":
            texts = values.different(column, missing)
            marks = [text for text in texts if _is_mark(text, labels)]
            if name != table.target:
                marks += odd([text for text in texts if text not in marks])
            for mark in marks:
                found.setdefault(mark, []).append(str(name))
    return found


def _is_mark(text: str, labels: Collection[str]) -> bool:
    """Whether a text means no value; a word that is a label, or one of two labels, does not."""
    if text in labels:
        return len(labels) > 2 and bool(USUAL.fullmatch(text))
    return bool(USUAL.fullmatch(text) or WORDS.fullmatch(text))


def odd(texts: Sequence[str]) -> list[str]:
    """Return the few texts that stand among many numbers, of which they are none."""
    parts = [numbers.NUMBERLIKE.fullmatch(text) for text in texts]
    units = [part and (part["before"], part["behind"]) for part in parts]
    (main, count), *_ = [*Counter(filter(None, units)).most_common(1), (None, 0)]
    others = [text for text, unit in zip(texts, units, strict=True) if unit != main]
    quantities = any(unit and unit != main and numbers.is_quantity(unit) for unit in units)
    measured = any(part and not part["core"].isdecimal() for part in parts)
    if count <= values.FEW_DIFFERENT or len(others) > MOST_ODD or quantities:
        return []
    return [] if any(map(CODE.fullmatch, others)) and not measured else others


def is_region(texts: Collection[str]) -> bool:
    """Whether these are codes of two letters, among which NA is North America or Namibia."""
    return len(texts) > 1 and all(re.fullmatch("[A-Z]{2}", text) for text in texts)
