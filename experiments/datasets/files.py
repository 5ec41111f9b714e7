"""The files: .csv, .parquet and .npz as a table of raw values."""

import csv
import io
import math
import zipfile
import zlib
from collections import Counter
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from experiments.data_section import FILE_SUFFIXES, Data
from experiments.errors import DataError
from experiments.wording import listed, suggestion

if TYPE_CHECKING:
    import _csv

    import pandas as pd
    import pyarrow as pa

INPUTS, LABELS = "X", "y"  # the arrays of an .npz
SEPARATORS = (",", ";", "\t", "|")
SAMPLE = 1 << 16  # characters to find the separator in; no cell of it is too long for csv
LARGEST_BLOCK = (1 << 31) - 1  # bytes that Arrow parses at a time; a row must be within one block
REMEDIES = {
    ".csv": "correct it, or write the right data.separator or data.encoding",
    ".parquet": "write it again, or give a .csv",
    ".npz": "save numbers and text (no Python objects: unpickling them could run code) with"
    " numpy.savez(file, X=..., y=...)",
}
# Arrow's errors are ValueErrors, or NotImplementedErrors.
UNREADABLE = (ValueError, NotImplementedError, EOFError, csv.Error, zipfile.BadZipFile, zlib.error)


@dataclass(frozen=True, kw_only=True)
class RawTable:
    """Raw rows, with the labels as the column `target`; `where` names them in sentences."""

    where: str
    frame: "pd.DataFrame"
    target: str


def check_columns(
    known: Iterable[str], wanted: Iterable[str], where: str, remedy: str = "correct it"
) -> None:
    """Raise DataError where a wanted column is not among the known ones, or is there twice."""
    count = Counter(known)
    if lacking := [name for name in wanted if name not in count]:
        raise DataError(
            f"{where}: there is no column {listed(lacking)}; {suggestion(lacking[0], count)}:"
            f" {remedy}"
        )
    if twice := [name for name in dict.fromkeys(wanted) if count[name] > 1]:
        raise DataError(f"{where}: the column {listed(twice)} is there more than once; rename one")


def read(path: Path, data: Data, *, labelled: bool = True) -> RawTable:
    """Return the rows of a file; there must be labels among them if `labelled`."""
    suffix = path.suffix.lower()
    if suffix not in FILE_SUFFIXES:
        raise DataError(f"{path}: a file of rows ends with {', '.join(FILE_SUFFIXES)}; convert it")
    try:
        if suffix == ".csv":
            frame = _read_csv(path, data.encoding, data.separator)
        elif suffix == ".parquet":
            frame = _read_parquet(path)
        else:
            others = [data.target or LABELS, data.split.group] if labelled else []
            frame = _read_npz(path, [name for name in others if name is not None])
    except OSError as error:
        reason = error.strerror or str(error)
        raise DataError(f"{path}: cannot be read ({reason}); check the path") from None
    except UNREADABLE as error:
        reason = (str(error).splitlines() or ["it is cut"])[0][:200]
        sentence = f"{path}: cannot be read as {suffix} ({reason}); {REMEDIES[suffix]}"
        raise DataError(sentence) from None
    names = list(frame.columns)
    check_columns(names, names, str(path))
    if len(frame) == 0:
        raise DataError(f"{path}: there are no rows, only names of columns; add rows")
    if labelled and data.target is None and suffix != ".npz":
        raise DataError(
            f"{path}: data.target, the column of labels, is missing; there are {listed(names)}:"
            f' write for example target = "{names[-1]}"'
        )
    target = data.target or LABELS
    check_columns(names, [target] if labelled else [], f"{path}: data.target")
    return RawTable(where=str(path), frame=frame, target=target)


def _read_csv(path: Path, encoding: str, separator: str) -> "pd.DataFrame":
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
    """Return the separator that gives the first records equally many fields, else a comma."""
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


def _read_parquet(path: Path) -> "pd.DataFrame":
    import pyarrow as pa
    from pyarrow import parquet

    table = parquet.ParquetFile(path).read()
    columns = [_plain(column) for column in table.columns]
    # without metadata: an index is a column
    frame: pd.DataFrame = pa.table(columns, names=table.column_names).to_pandas()
    return frame


def _plain(column: "pa.ChunkedArray") -> "pa.ChunkedArray":
    """Return the column as a type that NumPy has: numbers, booleans, text, or points in time."""
    import pyarrow as pa
    from pyarrow import types

    kind = column.type
    if types.is_dictionary(kind):
        return _plain(column.cast(kind.value_type))
    if types.is_date(kind):
        return column.cast(pa.timestamp("s"))
    # Whole numbers with gaps would become floats, which lose their last digits.
    gaps = column.null_count and (types.is_integer(kind) or types.is_boolean(kind))
    return column.cast(pa.string()) if gaps or types.is_time(kind) else column


def _read_npz(path: Path, others: Collection[str]) -> "pd.DataFrame":
    import pandas as pd

    with path.open("rb") as stream:  # NumPy leaves one that it cannot read open
        if not zipfile.is_zipfile(stream):
            raise ValueError("it is no archive of arrays")
        stream.seek(0)
        file = np.load(stream, allow_pickle=False)
        if lacking := [key for key in (INPUTS, *others) if key not in file.files]:
            raise ValueError(f"there is no array {listed(lacking)} among {listed(file.files)}")
        arrays = {key: _native(file[key]) for key in (INPUTS, *others)}
    x = arrays.pop(INPUTS)
    x = x.reshape(len(x), math.prod(x.shape[1:]))
    x = x.view(np.uint8) if x.dtype == bool else x
    frame = pd.DataFrame(x, columns=[f"x{index}" for index in range(x.shape[1])], copy=False)
    for key, array in arrays.items():
        if array.ndim == 2 and array.shape[1] == 1:
            array = array[:, 0]
        if array.dtype.kind == "S":
            array = np.char.decode(array, "utf-8")
        if len(array) != len(x):
            raise ValueError(f"{INPUTS!r} has {len(x)} rows and {key!r} has {len(array)}")
        column = pd.Series(array, dtype="str" if array.dtype.kind == "U" else None)
        frame.insert(frame.shape[1], key, column)  # refuses a name that is there
    return frame


def _native(array: NDArray[Any]) -> NDArray[Any]:
    return array.astype(array.dtype.newbyteorder("="), copy=False)
