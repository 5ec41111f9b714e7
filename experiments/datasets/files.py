"""The files: text, Excel sheets, .parquet and .npz as a table of raw values."""

import csv
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

from experiments.data_section import FILE_SUFFIXES, TEXT_SUFFIXES, Data, suffix_of
from experiments.datasets import delimited, shapes
from experiments.errors import DataError
from experiments.wording import listed, suggestion

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

INPUTS, LABELS = "X", "y"  # the arrays of an .npz
REMEDIES = {
    **dict.fromkeys(
        TEXT_SUFFIXES, "correct it, or write the right data.separator or data.encoding"
    ),
    ".parquet": "write it again, or give a .csv",
    ".npz": "save numbers and text (no Python objects: unpickling them could run code) with"
    " numpy.savez(file, X=..., y=...)",
}
# Arrow's errors are ValueErrors, or NotImplementedErrors.
UNREADABLE = (ValueError, NotImplementedError, EOFError, csv.Error, zipfile.BadZipFile, zlib.error)


@dataclass(frozen=True, kw_only=True)
class RawTable:
    """Raw rows, with the labels as the column `target`; `where` names them in sentences, and
    `notes` says what was found in the file around them; `separator` divides fields of text, in
    `encoding`.
    """

    where: str
    frame: "pd.DataFrame"
    target: str
    notes: tuple[str, ...] = ()
    separator: str = ""
    encoding: str = ""


def check_columns(
    known: Iterable[str], wanted: Iterable[str], where: str, remedy: str = "correct it"
) -> None:
    """Raise DataError if a wanted column is not among the known ones, or is there twice."""
    count = Counter(known)
    if lacking := [name for name in wanted if name not in count]:
        raise DataError(
            f"{where}: there is no column {listed(lacking)}; {suggestion(lacking[0], count)}:"
            f" {remedy}"
        )
    if twice := [name for name in dict.fromkeys(wanted) if count[name] > 1]:
        raise DataError(f"{where}: the column {listed(twice)} is there more than once; rename one")


def read(path: Path, data: Data, *, labelled: bool = True, guess: bool = False) -> RawTable:
    """Return the rows of a file; there must be labels among them if `labelled`, and `guess` allows
    an encoding that is not data.encoding.
    """
    suffix = suffix_of(path.name)
    if not suffix:
        raise DataError(f"{path}: a file of rows ends with {', '.join(FILE_SUFFIXES)}; convert it")
    try:
        if suffix == ".xlsx":
            table = delimited.read_excel(path, labelled=labelled)
        elif suffix in TEXT_SUFFIXES:
            tabs = suffix == ".tsv" and data.separator == "auto"
            separator = "\t" if tabs else data.separator
            table = delimited.read_text(
                path, data.encoding, separator, labelled=labelled, guess=guess
            )
        elif suffix == ".parquet":
            table = delimited.Table(_read_parquet(path))
        else:
            others = [data.target or LABELS, data.split.group] if labelled else []
            table = delimited.Table(_read_npz(path, list(filter(None, others))))
    except OSError as error:
        reason = error.strerror or str(error)
        raise DataError(f"{path}: cannot be read ({reason}); check the path") from None
    except delimited.NoTable as error:
        raise DataError(f"{path}: {error}") from None
    except UNREADABLE as error:
        reason = (str(error).splitlines() or ["it is cut"])[0][:200]
        sentence = f"{path}: cannot be read as {suffix} ({reason}); {REMEDIES[suffix]}"
        raise DataError(sentence) from None
    names = list(table.frame.columns)
    target = data.target or LABELS
    if suffix in TEXT_SUFFIXES and labelled:
        shapes.check_header(table.frame, target, str(path))
    check_columns(names, names if labelled else [], str(path))
    if len(table.frame) == 0:
        raise DataError(f"{path}: there are no rows, only column names; add rows")
    if labelled and data.target is None and suffix != ".npz":
        raise DataError(
            f"{path}: data.target, the column of labels, is missing; there are {listed(names)}:"
            f' write for example target = "{names[-1]}"'
        )
    divided = len(names) > 1 or suffix not in TEXT_SUFFIXES
    remedy = "correct it" if divided else 'correct it, or data.separator (such as " ")'
    remedy = "; ".join((remedy, *table.notes))
    check_columns(names, [target] if labelled else [], f"{path}: data.target", remedy)
    return RawTable(where=str(path), target=target, **table._asdict())


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
