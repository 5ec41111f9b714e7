"""The text of a CSV file: decoded, its separator found, and every way in which it can be broken
told in one sentence.
"""

import codecs
import csv
import io
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

from experiments.datasets.wording import listed, shown
from experiments.errors import DataError

if TYPE_CHECKING:
    import pandas as pd

SEPARATORS = (",", ";", "\t", "|")
SAMPLE = (
    1 << 16
)  # characters that are enough to find the separator; csv's own limit for one field is twice that
LARGEST_FILE = (1 << 31) - 1024  # pyarrow parses at most 2 GiB at a time


def read_csv(path: Path, encoding: str, separator: str) -> "pd.DataFrame":
    """The rows of a CSV file as text, `(rows, columns)`. Raises DataError."""
    text = decode(path, encoding)
    if not text.strip():
        raise DataError(f"{path}: the file is empty; it needs a header and rows")
    separator = find_separator(text) if separator == "auto" else check_separator(separator, path)
    if text.count('"') % 2:
        _find_open_quote(text, separator, path)
    frame = _parse(text, separator, path)
    return _named(frame, path)


def decode(path: Path, encoding: str) -> str:
    """The text of the file, without a byte order mark. Raises DataError."""
    data = path.read_bytes()
    utf_16 = data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    remedy = (
        f'write encoding = "{"utf-16" if utf_16 else "latin-1"}" under [data], or save the file as'
        " UTF-8"
    )
    try:
        if "escape" in codecs.lookup(encoding).name:
            raise LookupError
        text = data.decode(encoding)
    except LookupError:
        raise DataError(
            f"{path}: data.encoding is {shown(encoding)}, which is no text encoding; write for"
            ' example "utf-8-sig" or "latin-1"'
        ) from None
    except UnicodeError as error:
        start = getattr(error, "start", 0)
        byte = f"byte {start} ({data[start : start + 1].hex()})"
        raise DataError(
            f"{path}: {byte} cannot be read with data.encoding = {shown(encoding)}; {remedy}"
        ) from None
    if "\0" in text:
        raise DataError(
            f"{path}: this is no text, there is a zero byte after {text.index(chr(0))} characters;"
            " give a CSV file"
        )
    try:
        text.encode()
    except UnicodeEncodeError:
        raise DataError(
            f"{path}: data.encoding = {shown(encoding)} gives no valid text; {remedy}"
        ) from None
    return text.removeprefix("\ufeff")


def check_separator(separator: str, path: Path) -> str:
    """The separator, when it is one that can divide fields. Raises DataError."""
    if len(separator) != 1 or not separator.isascii() or separator in '"\r\n\0':
        raise DataError(
            f'{path}: data.separator is {shown(separator)}; it is one character such as "," or ";",'
            ' or "auto"'
        )
    return separator


def find_separator(text: str) -> str:
    """The separator that divides the first records into the same number of fields, and into the
    most; else a comma.
    """
    sample = text[:SAMPLE]
    found = {
        separator: _widths(sample, separator, whole=len(text) <= SAMPLE) for separator in SEPARATORS
    }
    even = {
        separator: widths[0]
        for separator, widths in found.items()
        if widths[0] > 1 and len(set(widths)) == 1
    }
    # With a ragged row somewhere no separator divides evenly: the header then decides, and the
    # ragged row is told.
    fields = even or {separator: widths[0] for separator, widths in found.items()}
    return max(fields, key=lambda separator: fields[separator])


def _widths(sample: str, separator: str, whole: bool) -> list[int]:
    """The number of fields of each record of the sample, quoted fields respected."""
    widths = []
    try:
        for record in csv.reader(io.StringIO(sample, newline=""), delimiter=separator):
            if record:
                widths.append(len(record))
    except csv.Error:
        pass
    if not whole and len(widths) > 1:
        widths.pop()  # the sample cuts the last record
    return widths or [0]


def _parse(text: str, separator: str, path: Path) -> "pd.DataFrame":
    import pandas as pd
    import pyarrow as pa
    from pyarrow import csv as arrow

    data = text.encode()
    if len(data) > LARGEST_FILE:
        raise DataError(
            f"{path}: the file has {len(data):,} bytes, and a CSV may have {LARGEST_FILE:,}; save"
            " it as .parquet"
        )
    names = _header(text, separator, path)
    try:
        table = arrow.read_csv(
            pa.BufferReader(data),
            # One block for the whole file: a cell may be as long as it likes.
            read_options=arrow.ReadOptions(
                block_size=len(data) + 1,
                column_names=[str(i) for i in range(len(names))],
                skip_rows=0,
            ),
            parse_options=arrow.ParseOptions(delimiter=separator, newlines_in_values=True),
            convert_options=arrow.ConvertOptions(
                column_types={str(i): pa.string() for i in range(len(names))},
                strings_can_be_null=False,
                check_utf8=False,
            ),
        )
    except pa.ArrowInvalid as error:
        _find_ragged(text, separator, path)
        raise DataError(
            f"{path}: not a CSV file: {shown(str(error))}; check its separator and its quotes"
        ) from None
    frame: pd.DataFrame = table.slice(1).to_pandas()
    frame.columns = pd.Index(names, dtype="str")
    return frame


def _header(text: str, separator: str, path: Path) -> list[str]:
    try:
        record = next(
            record
            for record in csv.reader(io.StringIO(text, newline=""), delimiter=separator)
            if record
        )
    except csv.Error as error:
        raise DataError(
            f"{path}: the header cannot be read ({error}); check its separator and its quotes"
        ) from None
    return [name.strip() for name in record]


def _find_ragged(text: str, separator: str, path: Path) -> None:
    """Raise DataError for the first record that has not as many fields as the header."""
    reader, width = csv.reader(io.StringIO(text, newline=""), delimiter=separator), 0
    try:
        for record in reader:
            width = width or len(record)
            if record and len(record) != width:
                raise DataError(
                    f"{path}: line {reader.line_num} has {len(record)} fields and the header"
                    f" {width}, divided by {shown(separator)}; correct that line, or write the"
                    " right data.separator"
                )
    except csv.Error:
        return


def _find_open_quote(text: str, separator: str, path: Path) -> None:
    """Raise DataError where a quote opens a field and is never closed."""
    reader, last = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True), 0
    try:
        for _ in reader:
            last = reader.line_num
    except csv.Error as error:
        raise DataError(
            f"{path}: line {last + 1} opens a quote that is never closed ({error}); close it, or"
            " double a quote inside a field"
        ) from None


def _named(frame: "pd.DataFrame", path: Path) -> "pd.DataFrame":
    """The frame, when every column has a name of its own; the index that pandas writes first,
    without a name, is left out.
    """
    names = list(frame.columns)
    if (
        names[0] == ""
        and len(names) > 1
        and frame.iloc[:, 0].tolist() == [str(index) for index in range(len(frame))]
    ):
        frame, names = frame.iloc[:, 1:], names[1:]
    if "" in names:
        raise DataError(
            f"{path}: column {names.index('') + 1} has no name in the header; give it one, or"
            " delete the column"
        )
    twice = [name for name, times in Counter(names).items() if times > 1]
    if twice:
        raise DataError(
            f"{path}: the header has {listed(twice)} more than once; rename these columns"
        )
    return frame
