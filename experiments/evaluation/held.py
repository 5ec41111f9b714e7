"""The arrays that an evaluation works on: stored for the workers of a machine to map, or held in a
worker of a cluster.
"""

import functools
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from nnreg import Split, Splits

WHOLE = "whole"  # the split of all rows, beside those that have a number


@contextmanager
def stored(splits: Splits) -> Iterator[str]:
    """Store splits in a temporary folder, for workers to map. Raises DirectoryError."""
    from experiments.errors import unwritable  # a worker imports this module, and needs neither
    from experiments.temporary import temporary_folder

    with ExitStack() as stack:
        try:
            folder = stack.enter_context(temporary_folder())
            named = enumerate(splits.folds)
            for part, split in [*named, *([(WHOLE, splits.whole)] if splits.whole else [])]:
                for name, array in vars(split).items():
                    _save(array, folder / f"{part}-{name}.npy")
        except OSError as error:
            raise unwritable(
                "the temporary folder",
                error,
                "set TMPDIR to a folder that can be",
                full="make room there, or set TMPDIR to another",
            ) from None
        yield str(folder)


def _save(array: np.ndarray, path: Path) -> None:
    """Do as np.save, which on a full disk may lose an array's last bytes silently (NumPy 2.4)."""
    array = np.ascontiguousarray(array)
    with path.open("wb") as file:
        np.lib.format.write_array_header_1_0(file, np.lib.format.header_data_from_array_1_0(array))
        file.write(array.data)


HELD: dict[str, Splits] = {}
"""Splits by key, in a worker of a cluster, which sees no folder of the driver's."""


def call_holding(call: Callable[[], Any], key: str, folder: str) -> Any:
    """Make a call that asks for the split of this key, which is stored in a folder."""
    HELD[key] = _mapped(folder)
    return call()


def load_splits(arrays: str) -> Splits:
    """Return the splits behind `EvaluationSpec.arrays`."""
    return HELD.get(arrays) or _mapped(arrays)


@functools.lru_cache(maxsize=2)
def _mapped(folder: str) -> Splits:
    """Map what `stored` wrote, rather than read it: the workers of a machine share its memory."""
    names = {path.name.partition("-")[0] for path in Path(folder).glob("*-*.npy")}
    count = max(1, len(names - {WHOLE}))  # to read one that is not there is an error
    folds = [_mapped_split(folder, str(number)) for number in range(count)]
    return Splits(tuple(folds), _mapped_split(folder, WHOLE) if WHOLE in names else None)


def _mapped_split(folder: str, part: str) -> Split:
    arrays = {
        name: np.load(Path(folder) / f"{part}-{name}.npy", mmap_mode="r", allow_pickle=False)
        for name in Split.__dataclass_fields__
    }
    # np.asarray takes the memmap's subclass off, whose overhead is paid at every slice.
    return Split(**{name: np.asarray(array) for name, array in arrays.items()})
