"""The files: .csv, .parquet and .npz as a table of raw values, one column a name."""

import math
import zipfile
import zlib
from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from experiments.datasets.csv_text import read_csv
from experiments.datasets.wording import hint, listed, shown
from experiments.errors import DataError
from experiments.spec import FILE_SUFFIXES, Data

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

INPUTS, LABELS = "X", "y"  # the arrays of an .npz
UNREADABLE = (
    ValueError,
    OverflowError,
    EOFError,
    zipfile.BadZipFile,
    zlib.error,
    NotImplementedError,
    RuntimeError,
    MemoryError,
)
LARGEST_SWELLING, MOST_SWELLING = (
    1 << 30,
    100,
)  # bytes that any .npz may unpack to, and how many times its size beyond that


@dataclass(frozen=True, kw_only=True)
class Table:
    """Raw rows, `(rows, columns)`, the labels among them as the column `target`; `where` names the
    file in sentences.
    """

    where: str
    frame: "pd.DataFrame"
    target: str


def read(path: Path, data: Data) -> Table:
    """The rows of a file with its labels. Raises DataError."""
    table = read_columns(path, data)
    names = list(table.frame.columns)
    if data.target is None and path.suffix.lower() != ".npz":
        raise DataError(
            f"{path}: data.target is missing, and which column holds the labels is not known; "
            f'there are {listed(names)}: write for example target = "{names[-1]}"'
        )
    if table.target not in names:
        raise DataError(
            f"{path}: data.target is {shown(table.target)}, which is no column;"
            f" {hint(table.target, names)}"
        )
    return table


def read_columns(path: Path, data: Data, *, labelled: bool = True) -> Table:
    """The rows of a file, whether or not there are labels among them; an .npz must have some if
    `labelled`. Raises DataError.
    """
    suffix = path.suffix.lower()
    if suffix not in FILE_SUFFIXES:
        raise DataError(
            f"{path}: a file of rows ends with {', '.join(FILE_SUFFIXES)}; convert it to one of"
            " these"
        )
    try:
        if path.stat().st_size == 0:
            raise DataError(f"{path}: the file is empty; it needs a header and rows")
        if suffix == ".csv":
            frame = read_csv(path, data.encoding, data.separator)
        elif suffix == ".parquet":
            frame = _read_parquet(path)
        else:
            frame = _read_npz(path, data, labelled=labelled)
    except FileNotFoundError:
        raise DataError(f"{path}: there is no such file; check the path in [data]") from None
    except IsADirectoryError:
        raise DataError(f"{path}: this is a directory; name the file in it") from None
    except PermissionError as error:
        raise DataError(
            f"{path}: cannot be read ({error.strerror}); check its permissions"
        ) from None
    except OSError as error:
        raise DataError(
            f"{path}: cannot be read ({shown(error.strerror or str(error))}); check the file"
        ) from None
    if len(frame) == 0:
        raise DataError(f"{path}: there are no rows, only names of columns; add rows")
    return Table(where=str(path), frame=frame, target=data.target or LABELS)


def _read_parquet(path: Path) -> "pd.DataFrame":
    import pyarrow as pa
    from pyarrow import parquet

    if path.is_dir():
        raise IsADirectoryError
    try:
        table = parquet.ParquetFile(path).read()
        table.validate(full=True)  # text that is no UTF-8 is met here, and not as it is used
        names = table.column_names
    except (pa.ArrowException, UnicodeDecodeError) as error:
        raise DataError(
            f"{path}: not a parquet file ({shown(str(error))}); write it again, or give a .csv"
        ) from None
    twice = [name for name, times in Counter(names).items() if times > 1]
    if twice:
        raise DataError(
            f"{path}: the file has the columns {listed(twice)} more than once; rename them"
        )
    table = pa.table(
        [_plain(column) for column in table.columns], names=names
    )  # without metadata: an index is a column
    frame: pd.DataFrame = table.to_pandas()
    return frame


def _plain(column: "pa.ChunkedArray") -> "pa.ChunkedArray":
    """The column as a type that NumPy has, where there is one: numbers, booleans, text, or points
    in time.
    """
    import pyarrow as pa
    from pyarrow import types

    kind = column.type
    if types.is_dictionary(kind):
        return _plain(column.cast(kind.value_type))
    if (
        types.is_decimal(kind)
        or types.is_null(kind)
        or (types.is_integer(kind) and column.null_count and kind.bit_width <= 32)
    ):
        return column.cast(pa.float64())
    if (
        types.is_integer(kind) and column.null_count
    ):  # as floats they would lose their last digits, and codes their meaning
        return column.cast(pa.string())
    if types.is_date(kind):
        return column.cast(pa.timestamp("s"))
    if (types.is_boolean(kind) and column.null_count) or types.is_time(kind):
        return column.cast(pa.string())
    return column


def _read_npz(path: Path, data: Data, *, labelled: bool) -> "pd.DataFrame":
    import pandas as pd

    group, target = data.split.group, data.target or LABELS
    arrays = _arrays(path, {INPUTS, target, *([group] if group else [])} if labelled else {INPUTS})
    for key in (INPUTS, target) if labelled else (INPUTS,):
        if key not in arrays:
            known = _keys(path)
            needs = (
                f"the inputs {INPUTS!r} and the labels {target!r}"
                if labelled
                else f"the inputs {INPUTS!r}"
            )
            raise DataError(
                f"{path}: there is no array {key!r}; an .npz needs {needs}, and this one has"
                f" {listed(known)}: save it with numpy.savez(file,"
                f" X=...{', y=...' if labelled else ''})"
            )
    x = arrays.pop(INPUTS)
    if x.dtype.kind not in "biuf" or x.ndim < 2:
        raise DataError(
            f"{path}: the array {INPUTS!r} has the type {x.dtype} and the shape {x.shape}; "
            "it must hold numbers, in two dimensions or more, of which the first counts the rows"
        )
    x = x.reshape(len(x), math.prod(x.shape[1:]))
    x = x.view(np.uint8) if x.dtype == bool else x
    _check_finite(x, path)
    frame = pd.DataFrame(x, columns=[f"x{index}" for index in range(x.shape[1])], copy=False)
    for key, array in arrays.items():
        if array.ndim == 2 and array.shape[1] == 1:
            array = array[:, 0]
        if array.ndim != 1 or array.dtype.kind not in "biufUS":
            raise DataError(
                f"{path}: the array {key!r} has the type {array.dtype} and the shape {array.shape};"
                " it must have one dimension, and hold a number, a text or a boolean for each row"
            )
        if key in frame.columns:
            raise DataError(
                f"{path}: the array {key!r} is named like a column of {INPUTS!r}; save it under"
                " another name"
            )
        if len(array) != len(x):
            raise DataError(
                f"{path}: the array {INPUTS!r} has {len(x)} rows and {key!r} has {len(array)}; they"
                " must have as many"
            )
        frame[key] = (
            pd.Series(_decoded(array, key, path), dtype="str")
            if array.dtype.kind in "US"
            else array
        )
    return frame


def _decoded(array: NDArray[Any], key: str, path: Path) -> NDArray[np.str_]:
    try:
        return array if array.dtype.kind == "U" else np.char.decode(array, "utf-8")
    except UnicodeDecodeError:
        raise DataError(
            f"{path}: the array {key!r} holds bytes that are not UTF-8; save it as text, with"
            " astype(str)"
        ) from None


def _arrays(path: Path, wanted: Collection[str]) -> dict[str, NDArray[Any]]:
    """Those of the wanted arrays that the file has. Raises DataError."""
    try:
        with (
            path.open("rb") as stream,
            np.errstate(all="ignore"),
        ):  # NumPy multiplies a shape that lies, and warns
            if not zipfile.is_zipfile(stream):
                raise ValueError("it is no archive of arrays")
            _check_size(stream)
            stream.seek(0)
            with np.load(stream, allow_pickle=False) as file:
                arrays = {key: file[key] for key in file.files if key in wanted}
        if not all(
            isinstance(array, np.ndarray) for array in arrays.values()
        ):  # NumPy hands out other files as bytes
            raise ValueError("what it holds is no array")
        return {
            key: array.astype(array.dtype.newbyteorder("="), copy=False)
            for key, array in arrays.items()
        }
    except UNREADABLE as error:
        if "Object arrays" in str(error):
            raise DataError(
                f"{path}: an array holds Python objects, and unpickling them could run code; save"
                " numbers or text, for example with X.astype(float) and y.astype(str)"
            ) from None
        raise DataError(
            f"{path}: not an .npz file that can be read ({shown(str(error))}); save it with"
            " numpy.savez(file, X=..., y=...)"
        ) from None


def _check_size(stream: BinaryIO) -> None:
    """Raise ValueError where a small archive would fill the memory: no data is that even."""
    with zipfile.ZipFile(stream) as archive:
        packed = sum(entry.compress_size for entry in archive.infolist())
        size = sum(entry.file_size for entry in archive.infolist())
    if size > LARGEST_SWELLING and size > MOST_SWELLING * packed:
        raise ValueError(f"{packed:,} bytes swell to {size:,}")


def _keys(path: Path) -> list[str]:
    with np.load(path, allow_pickle=False) as file:
        return list(file.files)


def _check_finite(x: NDArray[Any], path: Path) -> None:
    """Raise DataError where the array `(rows, columns)` holds NaN or an infinity."""
    if x.dtype.kind != "f":
        return
    for start in range(0, len(x), 4096):  # by blocks of rows: no mask as large as the array
        wrong = ~np.isfinite(x[start : start + 4096])
        if wrong.any():
            i, j = (int(index) for index in np.unravel_index(wrong.argmax(), wrong.shape))
            raise DataError(
                f"{path}: the array {INPUTS!r} holds {x[start + i, j].item()!r} at row {start + i},"
                f" column {j} (counted from 0, each row flattened); every number must be finite:"
                " correct it or leave that row out"
            )
