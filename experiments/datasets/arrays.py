"""The arrays of an .npz file as a table: inputs `X`, labels `y`, and perhaps groups."""

import math
import zipfile
import zlib
from collections.abc import Collection
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from experiments.data_section import Data
from experiments.errors import DataError
from experiments.wording import listed

if TYPE_CHECKING:
    import pandas as pd

INPUTS, LABELS = "X", "y"
UNREADABLE = (ValueError, EOFError, zipfile.BadZipFile, zlib.error)


def read_npz(path: Path, data: Data, *, labelled: bool) -> "pd.DataFrame":
    """Return the inputs, a column per feature, and the other arrays. Raises DataError."""
    needed = [INPUTS, data.target or LABELS] if labelled else [INPUTS]
    group = [data.split.group] if labelled and data.split.group else []
    try:
        return _frame(_arrays(path, [*needed, *group]))
    except UNREADABLE as error:
        arrays = ", ".join(f"{name}=..." for name in needed)
        raise DataError(
            f"{path}: cannot be read as .npz ({error}); save numbers and text (no Python objects:"
            f" unpickling them could run code) with numpy.savez(file, {arrays})"
        ) from None


def _arrays(path: Path, wanted: Collection[str]) -> dict[str, NDArray[Any]]:
    """Return those of the wanted arrays that the file has. Raises one of UNREADABLE."""
    with path.open("rb") as stream:  # NumPy leaves one that it cannot read open
        if not zipfile.is_zipfile(stream):
            raise ValueError("it is no archive of arrays")
        stream.seek(0)
        file = np.load(stream, allow_pickle=False)
        missing = [key for key in wanted if key not in file.files]
        if missing:
            raise ValueError(f"there is no array {listed(missing)} among {listed(file.files)}")
        arrays = {key: file[key] for key in wanted}
    return {
        key: array.astype(array.dtype.newbyteorder("="), copy=False)
        for key, array in arrays.items()
    }


def _frame(arrays: dict[str, NDArray[Any]]) -> "pd.DataFrame":
    import pandas as pd

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
