"""Text files and Excel sheets as a table of text: decoding, parsing, and what is no row."""

import codecs
import csv
import gzip
import io
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from experiments.datasets import shapes
from experiments.datasets.shapes import SAMPLE, Shape
from experiments.wording import listed, toml

if TYPE_CHECKING:
    import pandas as pd

LARGEST_BLOCK = (1 << 31) - 1  # bytes that Arrow parses at a time; a row must be within one block
GZIP, ZIP = b"\x1f\x8b", b"PK\x03\x04"
OTHERS = {  # how files begin, in small letters, that people mistake for tables
    (ZIP.lower(),): "an Excel workbook or another archive; name it .xlsx, or unpack it",
    (b"\xd0\xcf\x11\xe0",): "an old or a locked Excel workbook; save it as .xlsx or .csv",
    (b"%pdf",): "a PDF; export the table itself as .csv",
    (b"par1",): "a Parquet file; name it .parquet",
    (b"<!doctype html", b"<html", b"<?xml"): "a web page; download the file that the page shows",
    (b"[{", b'{"'): "JSON; save the table as .csv",
}


class NoTable(ValueError):
    """What is wrong with a file, with the remedy."""


class Table(NamedTuple):
    """The cells of a file, a sentence for each thing about it that a person should know, what
    divides its fields, and its encoding.
    """

    frame: "pd.DataFrame"
    notes: tuple[str, ...] = ()
    separator: str = ""
    encoding: str = ""


def read_text(
    path: Path, encoding: str, separator: str, *, labelled: bool, guess: bool = False
) -> Table:
    """Return the table in a text file, in another encoding if that is a `guess` and does not fit;
    rows without any value are left out if rows have labels.
    """
    content, notes = path.read_bytes(), []
    if content.startswith(GZIP):
        content = gzip.decompress(content)
        if not path.name.lower().endswith(".gz"):
            notes.append("it is packed with gzip, whatever its name says, and read as it is")
    _check_signature(content)
    given, encoding = encoding, _guess_encoding(content, encoding) if guess else encoding
    if encoding != given:
        notes.append(f"data.encoding = {toml(encoding)}, because the file is not UTF-8")
    table = _parsed(_decoded(content, encoding), separator, labelled)
    return table._replace(notes=(*notes, *table.notes), encoding=encoding)


def _check_signature(content: bytes) -> None:
    """Raise NoTable for a file that is known to be something else."""
    begin = content[:SAMPLE].lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    for begins, what in OTHERS.items():
        if begin.startswith(begins):
            raise NoTable(f"it is {what}")


def read_excel(path: Path, *, labelled: bool) -> Table:
    """Return the table in the first sheet of an Excel workbook."""
    import pandas as pd

    content = path.read_bytes()
    if not content.startswith(ZIP):
        _check_signature(content)
    try:
        with warnings.catch_warnings(action="ignore"):  # of styles and charts that are left out
            book = pd.ExcelFile(io.BytesIO(content), engine="openpyxl")
            cells = pd.read_excel(book, header=None, dtype=object, na_filter=False)
    except ImportError:
        remedy = "install it with: pip install 'nnreg-sweeps[excel]'"
        raise NoTable(f"that needs openpyxl; {remedy}") from None
    except Exception as error:  # openpyxl has no error of its own for a damaged file
        reason = type(error).__name__
        raise NoTable(f"it is no .xlsx, or damaged ({reason}); save it again") from None
    # a date is a time at midnight
    texts = cells.map(lambda cell: str(cell).removesuffix(" 00:00:00"))
    text = texts.to_csv(header=False, index=False)
    table = _parsed(text, ",", labelled)._replace(separator="")
    sheets = list(map(str, book.sheet_names))
    if len(sheets) > 1:
        note = f"of the sheets {listed(sheets)} the first is read; to read another, put it first"
        table = table._replace(notes=(note, *table.notes))
    return table


def _guess_encoding(content: bytes, usual: str) -> str:
    """Return the usual encoding where it fits, else one that does."""
    if content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return "utf-16"
    sample = content[:SAMPLE]
    zeros = {"utf-16-le": sample[1::2].count(0), "utf-16-be": sample[::2].count(0)}
    for encoding, count in zeros.items():
        if count > len(sample) // 4 and count > 3 * sample.count(0) // 4:
            return encoding
    for encoding in (usual, "cp1252"):
        try:
            content.decode(encoding)
        except UnicodeError:
            continue
        return encoding
    return "latin-1"


def _decoded(content: bytes, encoding: str) -> str:
    try:
        text = content.decode(encoding).removeprefix("\ufeff")
    except (UnicodeError, LookupError) as error:  # it does not fit, or there is none of this name
        reason = str(error)
    else:
        if "\0" not in text:
            return text
        reason = f"line {text[: text.index(chr(0))].count(chr(10)) + 1} holds a NUL character"
    guess = _guess_encoding(content, "utf-8-sig")
    if guess == encoding:
        raise NoTable(f"{reason}, which no text has; the file is damaged: get it again")
    what = f"data.encoding = {encoding!r} does not fit: {reason}"
    raise NoTable(f'{what}; try encoding = "{guess}"')


def _parsed(text: str, separator: str, labelled: bool) -> Table:
    if not text.strip():
        raise ValueError("it is empty")
    shape = shapes.find(text, separator)
    text = shapes.below(text, shape.start)
    if text.count('"') % 2:
        _check_records(text, shape, strict=True)
    frame, empty = _without_empty_rows(_parse(text, shape), labelled)
    rows = [f"left out: rows without any value, or of names again ({empty})"] * (empty > 0)
    return Table(*_named(frame, (*shape.notes, *rows)), shape.separator)


def _parse(text: str, shape: Shape) -> "pd.DataFrame":
    """Return the rows as Arrow reads them.

    pandas' own parser fills a row that is too short; Arrow refuses it, but not an open quote.
    """
    import pandas as pd
    import pyarrow as pa
    from pyarrow import csv as arrow

    keys = [str(index) for index in range(len(shape.names))]  # names may be there twice
    content = text.encode()
    try:
        table = arrow.read_csv(
            pa.BufferReader(content),
            read_options=arrow.ReadOptions(
                block_size=min(len(content) + 1, LARGEST_BLOCK),
                column_names=keys,
                skip_rows_after_names=1,
            ),
            parse_options=arrow.ParseOptions(
                delimiter=shape.separator,
                escape_char=shape.escape or False,
                newlines_in_values=True,
            ),
            convert_options=arrow.ConvertOptions(column_types=dict.fromkeys(keys, pa.string())),
        )
    except pa.ArrowInvalid:
        _check_records(text, shape, strict=False)
        raise
    frame: pd.DataFrame = table.to_pandas()
    return frame.set_axis(pd.Index(shape.names, dtype="str"), axis="columns")


def _check_records(text: str, shape: Shape, *, strict: bool) -> None:
    """Raise NoTable that names the first line with another number of fields, or, if `strict`, with
    a quote that is never closed.
    """
    records = shapes.reader(text, shape.separator, shape.escape, strict=strict)
    header = line = shape.start + 1
    number = len(shape.names)
    try:
        for record in records:
            if line > header and record and len(record) != number:
                break
            line = header + records.line_num
        else:
            return
    except csv.Error as error:
        if not strict:
            raise
        raise NoTable(f"line {line} opens a quote that is never closed ({error})") from None
    if shape.width != number:
        raise NoTable(
            f"line {header} has {number} fields by {shape.separator!r}, and most lines below it"
            f" have {shape.width}; the first line must have the column names: write a name for"
            " each, delete lines above the names, or write the right data.separator"
        )
    fields = f"{len(record)} field{'s' * (len(record) != 1)}"
    what = f"line {line} has {fields}, and there are {number} column names in line {header}"
    if len(record) < number and not any(records):
        raise NoTable(f"{what}: it is the last line, and cut; delete it, or get the file again")
    raise NoTable(f"{what}; correct it: a field with {shape.separator!r} in it needs quotes")


def _without_empty_rows(frame: "pd.DataFrame", labelled: bool) -> tuple["pd.DataFrame", int]:
    """Return the table without rows that have no value but column names, and how many these
    are: all of them, or those at the end where every other row is to be answered.
    """
    rows = frame.index
    for index, name in enumerate(frame.columns):
        rows = rows[frame.iloc[:, index].loc[rows].str.strip().isin(["", name])]
    if not labelled:
        rows = rows[rows > frame.index.difference(rows).max()]
    return (frame.drop(index=rows) if len(rows) else frame), len(rows)


def _named(frame: "pd.DataFrame", notes: tuple[str, ...]) -> tuple["pd.DataFrame", tuple[str, ...]]:
    """Return the table without nameless columns that are empty, and without the index that pandas
    writes first, without a name. Other nameless columns are called as pandas calls them.
    """
    import pandas as pd

    names = list(frame.columns)
    nameless = [index for index, name in enumerate(names) if name == ""]
    if not nameless or len(frame) == 0:
        return frame, notes
    left_out = [index for index in nameless if (frame.iloc[:, index].str.strip() == "").all()]
    if left_out:
        notes = (*notes, f"left out: columns without a name and any value ({len(left_out)})")
    if nameless[0] == 0 and frame.iloc[:, 0].tolist() == [str(row) for row in range(len(frame))]:
        left_out.append(0)
        notes = (*notes, f"left out: an index without a name, 0 to {len(frame) - 1}")
    named = [name or f"Unnamed: {index}" for index, name in enumerate(names)]
    frame = frame.set_axis(pd.Index(named, dtype="str"), axis="columns")
    return frame.iloc[:, [index for index in range(len(names)) if index not in left_out]], notes
