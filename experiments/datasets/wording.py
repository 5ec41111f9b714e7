"""The wording: how values and names stand in a sentence, or in a TOML file, so that it stays one
line.
"""

from collections.abc import Sequence

import numpy as np

from experiments.spec import nearest

LONGEST_VALUE = 60
MOST_NAMES = 20


def shown(value: object) -> str:
    """A value as Python writes it, on one line, and cut where it is long."""
    text = repr(value.item() if isinstance(value, np.generic) else value)
    return text if len(text) <= LONGEST_VALUE else f"{text[: LONGEST_VALUE - 3]}..."


def listed(names: Sequence[str]) -> str:
    """Names one after the other; where there are very many, the first of them and how many more."""
    more = f" and {len(names) - MOST_NAMES} more" if len(names) > MOST_NAMES else ""
    return ", ".join(shown(name) for name in names[:MOST_NAMES]) + more


def hint(name: str, known: Sequence[str]) -> str:
    """`did you mean 'X'?` where a known name is near, else the known names."""
    near = nearest(name, list(known))
    return near if near.startswith("did you mean") else f"there are {listed(known)}"


def row(index: int) -> str:
    """The place of a row, for people: its index (from 0) as they count."""
    return f"row {index + 1} (counted from 1 below the header)"


def toml_string(text: str) -> str:
    """The text as a basic string of TOML: one line, whatever is in it."""
    escapes = {'"': '\\"', "\\": "\\\\"}
    return f'"{"".join(escapes.get(char) or (char if char.isprintable() else _escape(char)) for char in text)}"'


def _escape(char: str) -> str:
    return f"\\u{ord(char):04x}" if ord(char) < 0x10000 else f"\\U{ord(char):08x}"


def toml_list(texts: Sequence[str]) -> str:
    """The texts as an array of TOML, on one line."""
    return f"[{', '.join(toml_string(text) for text in texts)}]"
