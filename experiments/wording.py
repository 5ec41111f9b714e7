"""The wording: how values, names and rows are written in a sentence or in TOML, on one line."""

import difflib
import json
import os
import re
import shlex
from collections.abc import Collection, Sequence
from pathlib import Path

from pydantic import BaseModel

LONGEST_VALUE = 60
MOST_NAMES = 20


def short_repr(value: object) -> str:
    """Return a value as Python writes it, cut where it is long."""
    text = repr(value.item() if hasattr(value, "item") else value)
    return text if len(text) <= LONGEST_VALUE else f"{text[: LONGEST_VALUE - 3]}..."


def shortened(text: str, longest: int) -> str:
    """Return a text of at most so many characters."""
    return text if len(text) <= longest else f"{text[: longest - 1]}\N{HORIZONTAL ELLIPSIS}"


def relative(path: Path) -> str:
    """Return a path as short as it can be written from here."""
    here = os.path.relpath(path)
    return str(path) if here.startswith("..") else here


def command_line(*words: str) -> str:
    """Return a command of sweeps as a line that can be pasted into a shell."""
    return " ".join(["sweeps", *map(quoted, words)])


def quoted(word: str) -> str:
    """Quote a word for a shell, on one line."""
    if "\n" not in word:
        return shlex.quote(word)
    for plain, escaped in (("\\", r"\\"), ("'", r"\'"), ("\n", r"\n")):
        word = word.replace(plain, escaped)
    return f"$'{word}'"


def listed(names: Sequence[str]) -> str:
    """Return the names one after the other; of very many the first, and how many more."""
    more = f" and {len(names) - MOST_NAMES} more" if len(names) > MOST_NAMES else ""
    return ", ".join(short_repr(name) for name in names[:MOST_NAMES]) + more


def suggestion(word: str, known: Collection[str]) -> str:
    """Return `did you mean 'X'?` where a known word is near, else all known words."""
    close = difflib.get_close_matches(word, known, n=1)
    return f"did you mean {close[0]!r}?" if close else f"there are {listed(list(known))}"


def row_number(index: int) -> str:
    """Return the place of a row as people count it."""
    return f"row {index + 1} (counted from 1 below the header)"


def toml(value: object) -> str:
    """Return a value of the experiment file as TOML, on one line."""
    if isinstance(value, str | bool):
        return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
    if isinstance(value, BaseModel):
        return f"{{ {', '.join(f'{key} = {toml(each)}' for key, each in value)} }}"
    if isinstance(value, dict):
        names = [key if re.fullmatch("[A-Za-z0-9_-]+", key) else toml(key) for key in value]
        pairs = ", ".join(
            f"{name} = {toml(each)}" for name, each in zip(names, value.values(), strict=True)
        )
        return f"{{ {pairs} }}" if pairs else "{}"
    if isinstance(value, tuple | list):
        return f"[{', '.join(toml(each) for each in value)}]"
    return repr(value)
