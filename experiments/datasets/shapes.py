"""The shape of a table as text: what divides its fields, and which line has the names."""

import csv
import io
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING

from experiments.datasets.values import NUMBER
from experiments.errors import DataError
from experiments.wording import short_repr

if TYPE_CHECKING:
    import _csv

    import pandas as pd

SEPARATORS = (",", ";", "\t", "|")
SAMPLE = 1 << 16  # characters to look at first; no cell of it is too long for csv
MOST_TITLES = 20  # records that may stand above the column names
SEPARATOR_LINE = re.compile(r'"?sep=(.)"?[,;\t]*(?:\r\n|\r|\n)', re.IGNORECASE)  # of Excel
BACKSLASHED = re.compile(r'\\"[^,;\t|\r\n]')  # a quote within a field; not a path that ends one

Cells = list[str]


@dataclass(frozen=True, kw_only=True)
class Shape:
    """How to read a text: from the line `start` (counted from 0), which has the `names`; most lines
    have `width` fields.
    """

    separator: str
    escape: str | None
    start: int
    names: tuple[str, ...]
    width: int
    notes: tuple[str, ...]


def reader(
    text: str, separator: str, escape: str | None = None, *, strict: bool = False
) -> "_csv.Reader":
    """Return the records of a text."""
    stream = io.StringIO(text, newline="")
    return csv.reader(stream, delimiter=separator, escapechar=escape, strict=strict)


def below(text: str, line: int) -> str:
    """Return the text from a line on, counted from 0."""
    return "".join(islice(io.StringIO(text, newline=""), line, None)) if line else text


def find(text: str, separator: str = "auto") -> Shape:
    """Return how to read the text; its separator is found if it is "auto"."""
    notes = []
    named = SEPARATOR_LINE.match(text)
    if separator == "auto" and named:
        separator = named[1]
        notes.append(f"line 1 is no row: it says that fields are separated by {separator!r}")
    escape = "\\" if BACKSLASHED.search(text, 0, SAMPLE) else None
    found = {
        one: _records(text, one, escape, int(named is not None))
        for one in (SEPARATORS if separator == "auto" else (separator,))
    }
    separator, given = max(found, key=lambda one: _evenness(found[one])), separator
    lines, records = zip(*found[separator], strict=True)
    *_, width = _evenness(found[separator])
    start, names = _header(records, width)
    if start:
        where = f"the column names are in line {lines[start] + 1}"
        above = short_repr(separator.join(records[0]))
        notes.append(f"{where}; the lines above are left out, such as {above}")
    if escape:
        notes.append("a quote within a field is written as backslash and quote")
    if separator != "," and given == "auto":
        divided = f"the fields are separated by {short_repr(separator)}"
        notes.append(f'{divided}, which data.separator = "auto" finds')
    return Shape(
        separator=separator,
        escape=escape,
        start=lines[start],
        names=tuple(names),
        width=width,
        notes=tuple(notes),
    )


def _records(text: str, separator: str, escape: str | None, start: int) -> list[tuple[int, Cells]]:
    """Return the first records that are not blank, each with the line that it begins in."""
    records: list[tuple[int, Cells]] = []
    rows, line = reader(text[:SAMPLE], separator, escape), 0
    for cells in rows:
        if cells and line >= start:
            records.append((line, [cell.strip() for cell in cells]))
        line = rows.line_num
    if len(text) > SAMPLE and len(records) > 1:
        del records[-1]  # it is cut
    return records or [(0, [""])]


def _evenness(records: Sequence[tuple[int, Cells]]) -> tuple[bool, float, int]:
    """Return whether there are several fields, the share of records that have as many as most, and
    how many these are.
    """
    counts = Counter(len(cells) for _, cells in records)
    width = max(counts, key=lambda width: (counts[width], width))
    return width > 1, counts[width] / len(records), width


def _header(records: Sequence[Cells], width: int) -> tuple[int, Cells]:
    """Return which record has the names, and these: the first, or below titles the first that looks
    like names.
    """
    used = max(len(list(filter(None, cells))) for cells in records)
    for index, cells in enumerate(records[:MOST_TITLES]):
        after = records[index + 1] if len(records) > index + 1 else [""]
        if cells[0].startswith("#") and (
            after[0].startswith("#") or (index and _has_numbers(cells) >= _has_numbers(after))
        ):
            continue  # the last comment may have the names
        names = _completed(cells, records[index + 1 :], width)
        if len(names) == width and 2 * len(list(filter(None, names))) > used:
            return (0, records[0]) if index and _has_numbers(cells) else (index, names)
    return 0, records[0]


def _completed(names: Cells, rows: Sequence[Cells], width: int) -> Cells:
    """Return the names without separators too many, or with a name too few: rows may end with a
    separator, and R writes no name for the names of rows.
    """
    while len(names) > width and names[-1] == "":
        names = names[:-1]
    if len(names) == width - 1 and rows and all(len(row) == width for row in rows):
        if not any(row[-1] for row in rows):
            return [*names, ""]
        alike = _has_numbers(rows[0]) == _has_numbers(rows[-1])  # below a title are names
        if alike and len({row[0] for row in rows}) == len(rows):
            return ["", *names]
    return names


def _has_numbers(cells: Cells) -> bool:
    return any(map(NUMBER.fullmatch, cells))


def check_header(frame: "pd.DataFrame", target: str, where: str) -> None:
    """Raise DataError if the column names are themselves a row: there is no such target, or
    a name twice, and most names are values of their own columns.
    """
    names = list(frame.columns)
    settled = len(set(names)) == len(names) and target in names
    if (settled and not _is_value(frame, names.index(target))) or _counts_up(names):
        return
    like = [index for index in range(len(names)) if _is_value(frame, index)]
    if len(names) > 1 and 2 * len(like) > len(names):
        example = ",".join(f"x{number}" for number in range(1, len(names)))
        raise DataError(
            f"{where}: the first row looks like data, not like column names (such as"
            f" {short_repr(names[like[0]])}); write a line of names above it, such as"
            f" {short_repr(f'{example},{target}')}"
        )


def _is_value(frame: "pd.DataFrame", index: int) -> bool:
    """Return whether the name of a column stands in it, or is a number as all below it are."""
    name, cells = frame.columns[index], frame.iloc[:, index].str.strip()
    if NUMBER.fullmatch(name):
        return all(map(NUMBER.fullmatch, cells[:MOST_TITLES]))
    return bool(name) and bool((cells == name).any())


def _counts_up(names: Sequence[str]) -> bool:
    """Return whether the numbers among the names count up by one, as pandas and NumPy name."""
    numbers = [name for name in names if NUMBER.fullmatch(name)]
    first = numbers[0] if numbers else ""
    return first.isdecimal() and numbers == [str(int(first) + i) for i in range(len(numbers))]
