"""The text of a CSV file: decoded, its separator found, and its rows parsed."""

import csv
import io
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import _csv

    import pandas as pd

SEPARATORS = (",", ";", "\t", "|")
SAMPLE = 1 << 16  # characters to find the separator in; no cell of it is too long for csv
LARGEST_BLOCK = (1 << 31) - 1  # bytes that Arrow parses at a time; a row must be within one block


def read_csv(path: Path, encoding: str, separator: str) -> "pd.DataFrame":
    """Return the rows of a CSV file as text, `(rows, columns)`. Raises ValueError, csv.Error."""
    text = _decode(path.read_bytes(), encoding)
    if not text.strip():
        raise ValueError("it is empty")
    frame = _parse(text, find_separator(text) if separator == "auto" else separator)
    names = list(frame.columns)
    rows = [str(index) for index in range(len(frame))]
    if names[0] == "" and len(names) > 1 and frame.iloc[:, 0].tolist() == rows:
        return frame.iloc[:, 1:]  # the index that pandas writes first, without a name
    if "" in names:
        raise ValueError(f"column {names.index('') + 1} has no name in the header")
    return frame


def _decode(content: bytes, encoding: str) -> str:
    try:
        return content.decode(encoding).removeprefix("\ufeff")
    except (UnicodeError, LookupError) as error:  # it does not fit, or there is none of this name
        guess = "utf-16" if content[:2] in (b"\xff\xfe", b"\xfe\xff") else "latin-1"
        raise ValueError(
            f'data.encoding = {encoding!r} does not fit: {error}; try encoding = "{guess}"'
        ) from None


def find_separator(text: str) -> str:
    """Return the separator that divides the first records into the same number of fields, and into
    the most; else a comma.
    """
    fields = {}
    for separator in SEPARATORS:
        widths = [len(record) for record in _reader(text[:SAMPLE], separator) if record] or [0]
        if len(text) > SAMPLE and len(widths) > 1:
            del widths[-1]  # it is cut
        # With a ragged row somewhere no separator divides evenly: the header then decides.
        fields[separator] = (widths[0] > 1 and len(set(widths)) == 1, widths[0])
    return max(fields, key=lambda separator: fields[separator])


def _reader(text: str, separator: str, *, strict: bool = False) -> "_csv.Reader":
    return csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=strict)


def _parse(text: str, separator: str) -> "pd.DataFrame":
    """Return the rows as Arrow reads them.

    pandas' own parser fills a row that is too short; Arrow refuses it, but not an open quote.
    """
    import pandas as pd
    import pyarrow as pa
    from pyarrow import csv as arrow

    header = next(record for record in _reader(text, separator) if record)
    names = [name.strip() for name in header]
    keys = [str(index) for index in range(len(names))]  # names may be there twice
    if text.count('"') % 2:
        _check_quotes(text, separator)
    content = text.encode()
    table = arrow.read_csv(
        pa.BufferReader(content),
        read_options=arrow.ReadOptions(
            block_size=min(len(content) + 1, LARGEST_BLOCK),
            column_names=keys,
            skip_rows_after_names=1,
            use_threads=False,  # an error then tells the number of its row
        ),
        parse_options=arrow.ParseOptions(delimiter=separator, newlines_in_values=True),
        convert_options=arrow.ConvertOptions(column_types=dict.fromkeys(keys, pa.string())),
    )
    frame: pd.DataFrame = table.to_pandas()
    return frame.set_axis(pd.Index(names, dtype="str"), axis="columns")


def _check_quotes(text: str, separator: str) -> None:
    """Raise csv.Error where a quote opens a field and is never closed."""
    reader, last = _reader(text, separator, strict=True), 0
    try:
        for _ in reader:
            last = reader.line_num
    except csv.Error as error:
        raise csv.Error(f"line {last + 1} opens a quote that is never closed ({error})") from None
