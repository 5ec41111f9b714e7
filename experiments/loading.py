"""How a process loads a user's own network, and has a kept one predict."""

import importlib.util
import inspect
import pickle
import sys
import traceback
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib.abc import SourceLoader
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import CodeType, ModuleType
from typing import Any

import numpy as np

from experiments.alone import alone, one_at_a_time
from experiments.digest import digest
from experiments.errors import DataError, ExperimentError
from experiments.network import EXAMPLE, GIVEN, OwnNetwork
from experiments.wording import suggestion


class _Loader(SourceLoader):
    """Imports the modules of a network from their texts: a worker of a cluster has no such files,
    and an edit during a sweep changes nothing.
    """

    def __init__(self, own: OwnNetwork) -> None:
        self._texts = {str(Path(own.folder, file)): text for file, text in own.sources.items()}
        self._paths = {
            file.removesuffix(".py").removesuffix("/__init__").replace("/", "."): path
            for file, path in zip(own.sources, self._texts, strict=True)
        }
        self._codes: dict[str, CodeType | None] = {}
        self.main = Path(own.name).stem

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> ModuleSpec | None:
        if name not in self._paths:
            return None
        return importlib.util.spec_from_file_location(name, self._paths[name], loader=self)

    def get_filename(self, name: str) -> str:
        return self._paths[name]

    def get_data(self, path: str | bytes) -> bytes:
        return self._texts[str(path)].encode()

    def get_code(self, fullname: str) -> CodeType | None:
        """Compile each text once: it runs again for each network."""
        if fullname not in self._codes:
            self._codes[fullname] = super().get_code(fullname)
        return self._codes[fullname]

    def load(self) -> ModuleType:
        """Run the file again, without what another network left in its modules."""
        for one in [one for one in sys.meta_path if isinstance(one, _Loader) and one is not self]:
            sys.meta_path.remove(one)
            one.forget()
        if self not in sys.meta_path:
            sys.meta_path.insert(0, self)
        self.forget()
        return importlib.import_module(self.main)

    def forget(self) -> None:
        for name in self._paths:
            sys.modules.pop(name, None)


@dataclass(frozen=True)
class Functions:
    """What a user's network is made of in a process: its `train`, and `load` if there is one."""

    train: Callable[..., Any]
    load: Callable[[Mapping[str, Any]], Any] | None


_loaders: dict[str, _Loader] = {}  # of the last network, by its digest


def functions(own: OwnNetwork) -> Functions:
    """Load the functions of a network as in a new process, which runs the user's code. Raises
    ExperimentError.
    """
    with one_at_a_time, alone(own.directory, seed=0):
        return _import(own)


def _import(own: OwnNetwork) -> Functions:
    if own.pickled is not None:
        return Functions(pickle.loads(own.pickled), None)
    key = digest([own.digest, own.name, own.folder])
    if key not in _loaders:
        _loaders.clear()
        _loaders[key] = _Loader(own)
    try:
        module = _loaders[key].load()
    except (Exception, SystemExit) as error:
        raise ExperimentError(f"model.source {reason(own, error)}") from None
    train = getattr(module, own.function, None)
    if not callable(train):
        there = [name for name, one in vars(module).items() if inspect.isfunction(one)]
        raise ExperimentError(
            f"model.function is {own.function!r}, and {own.name} has no such function;"
            f" {suggestion(own.function, there)}, or write {EXAMPLE}"
        )
    return Functions(train, getattr(module, "load", None))


def check(own: OwnNetwork, parameters: Sequence[str]) -> None:
    """Load a network and raise ExperimentError unless it can be called with these parameters."""
    train = functions(own).train
    try:
        inspect.signature(train).bind(None, None, **dict.fromkeys((*GIVEN, *parameters)))
    except (TypeError, ValueError) as error:
        names = ", ".join(["split", "lambdas", "*", *GIVEN, *parameters])
        raise ExperimentError(
            f"{own.name}: {own.function} cannot be called ({error}); write def"
            f" {own.function}({names})"
        ) from None


def reason(own: OwnNetwork, error: BaseException) -> str:
    """Return what went wrong in a user's code: file, line, and the last line of the traceback."""
    files = {str(Path(own.folder, file)) for file in own.sources}
    frames = traceback.extract_tb(error.__traceback__)
    at = [one for one in frames if one.filename in files or one.filename.startswith("<ipython")]
    name, line = (Path(at[-1].filename).name, at[-1].lineno) if at else (own.name, None)
    what = traceback.format_exception_only(error)[-1].strip()
    return f"{name}, line {line}: {what}" if line else f"{name}: {what}"


def predict(
    own: OwnNetwork, arrays: Mapping[str, np.ndarray], x: np.ndarray, classes: int
) -> np.ndarray:
    """Return what a kept network predicts, (rows, classes) float64. Raises DataError."""
    try:
        with alone(own.directory, seed=0):
            load = functions(own).load
            network = load({name: array.copy() for name, array in arrays.items()}) if load else None
            found = np.asarray(network.predict(x), np.float64)  # type: ignore[union-attr]  # its own error
    except Exception as error:
        raise DataError(f"the kept network cannot predict: {reason(own, error)}") from None
    if found.shape != (len(x), classes) or not np.isfinite(found).all():
        raise DataError(f"{own.name}: predict returns no probabilities (rows, {classes}) any more")
    return found
