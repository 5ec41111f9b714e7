"""The shape of a table as text: what divides its fields, and which line has the names."""

import csv
import io
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from experiments.datasets.values import NUMBER
from experiments.errors import DataError
from experiments.wording import short_repr

if TYPE_CHECKING:
    import _csv

    import pandas as pd

SEPARATORS = (",", ";", "\t", "|")
SAMPLE = 1 << 16  # characters to look at first; no cell of it is too long for csv
MOST_TITLES = 20  # records that may stand above the names of columns
SEPARATOR_LINE = re.compile(r'"?sep=(.)"?[,;\t]*(?:\r\n|\r|\n)', re.IGNORECASE)  # of Excel
BACKSLASHED = re.compile(r'\\"[^,;\t|\r\n]')  # a quote within a field; not a path that ends one


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


@dataclass(frozen=True)
class _Record:
    line: int
    cells: list[str]

    @property
    def filled(self) -> int:
        return sum(bool(cell.strip()) for cell in self.cells)


def reader(
    text: str, separator: str, escape: str | None = None, *, strict: bool = False
) -> "_csv.Reader":
    """Return the records of a text."""
    stream = io.StringIO(text, newline="")
    return csv.reader(stream, delimiter=separator, escapechar=escape, strict=strict)


def below(text: str, line: int) -> str:
    """Return the text from a line on, counted from 0."""
    if line == 0:
        return text
    stream = io.StringIO(text, newline="")
    for _ in range(line):
        stream.readline()
    return stream.read()


def find(text: str, separator: str = "auto") -> Shape:
    """Return how to read the text; its separator is found if it is "auto"."""
    notes = []
    named = SEPARATOR_LINE.match(text)
    if named:
        notes.append(f"line 1 is no row: it says that fields are divided by {named[1]!r}")
        separator = named[1] if separator == "auto" else separator
    escape = "\\" if BACKSLASHED.search(text, 0, SAMPLE) else None
    separator, records = _divided(text, separator, escape, int(named is not None))
    width, start = _width(records), _header(records)
    names = [cell.strip() for cell in records[start].cells]
    if start:
        above = short_repr(",".join(records[0].cells))
        where = f"the names of columns are in line {records[start].line + 1}"
        notes.append(f"{where}; the lines above are left out, such as {above}")
    if escape:
        notes.append("a quote within a field is written as backslash and quote")
    if separator != ",":
        found = f"the fields are divided by {short_repr(separator)}"
        notes.append(f'{found}, which data.separator = "auto" finds')
    while len(names) > width and names[-1] == "":
        del names[-1]
    rows = [record.cells for record in records[start + 1 :]]
    if len(names) == width - 1 and all(len(row) == width for row in rows):
        if not any(row[-1].strip() for row in rows):
            names.append("")  # each row ends with a separator, the names do not
        elif len({row[0] for row in rows}) == len(rows):
            names.insert(0, "")  # R writes no name for the names of rows
    return Shape(
        separator=separator,
        escape=escape,
        start=records[start].line,
        names=tuple(names),
        width=width,
        notes=tuple(notes),
    )


def _divided(
    text: str, separator: str, escape: str | None, start: int
) -> tuple[str, list[_Record]]:
    """Return the separator that gives most of the first records equally many fields, and them."""
    best: tuple[tuple[bool, float, int], str, list[_Record]] | None = None
    for one in SEPARATORS if separator == "auto" else (separator,):
        records = _records(text, one, escape, start)
        width = _width(records)
        share = sum(len(record.cells) == width for record in records) / len(records)
        merit = (width > 1, share, width)
        if best is None or merit > best[0]:
            best = merit, one, records
    assert best is not None
    return best[1:]


def _records(text: str, separator: str, escape: str | None, start: int) -> list[_Record]:
    """Return the first records that are not blank, with the lines that they begin in."""
    records, line = [], 0
    lines = reader(text[:SAMPLE], separator, escape)
    for cells in lines:
        if cells and line >= start:
            records.append(_Record(line, cells))
        line = lines.line_num
    if len(text) > SAMPLE and len(records) > 1:
        del records[-1]  # it is cut
    return records or [_Record(0, [""])]


def _width(records: Sequence[_Record]) -> int:
    """Return how many fields most records have."""
    counts = Counter(len(record.cells) for record in records)
    return max(counts, key=lambda width: (counts[width], width))


def _header(records: Sequence[_Record]) -> int:
    """Return which record has the names: the first, or below titles the first that looks like
    names.
    """
    width, used = _width(records), max(record.filled for record in records)
    for index, record in enumerate(records[:MOST_TITLES]):
        comment = record.cells[0].startswith("#")
        fewest = max(width - (not comment), min(width, 2))  # R has no name for the names of rows
        if len(record.cells) >= fewest and 2 * record.filled > used:
            numbers = any(NUMBER.fullmatch(cell.strip()) for cell in record.cells)
            return 0 if index and numbers else index
    return 0


def check_header(frame: "pd.DataFrame", target: str, where: str) -> None:
    """Raise DataError where the names of columns are themselves a row: there is no such target, or
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
            f"{where}: the first row looks like data, not like names of columns (such as"
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
