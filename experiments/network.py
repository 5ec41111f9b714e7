"""A user's own network: the source text of one function and of what it needs, and how a worker
loads it.
"""

import ast
import functools
import hashlib
import importlib.util
import inspect
import pickle
import sys
import textwrap
import threading
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from importlib.abc import SourceLoader
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from experiments.digest import digest
from experiments.errors import DataError, ExperimentError, InputError
from experiments.wording import suggestion

GIVEN = ("seed", "epochs", "batch_size", "learning_rate")  # keywords of each call
OURS = {"nnreg", "experiments", "sweeps"}
EXAMPLE = "def train(split, lambdas, *, seed, epochs, batch_size, learning_rate)"


@dataclass(frozen=True)
class OwnNetwork:
    """A function that trains a user's own network (docs/own-network.md has its contract).

    `sources` are the texts that its numbers depend on, by the path from `folder` for files: those
    of a file and of the modules beside it that it imports, or those that a function of Python,
    which travels `pickled`, is made of. Paths that the function opens are relative to `directory`.
    """

    name: str
    function: str
    sources: Mapping[str, str]
    folder: str
    directory: str
    parameters: Mapping[str, Any] = field(default_factory=dict)  # those that are fixed
    pickled: bytes | None = None

    @functools.cached_property
    def digest(self) -> str:
        """The digest of the sources: another one is another network."""
        return digest(dict(self.sources))

    @property
    def has_file(self) -> bool:
        return self.pickled is None

    @property
    def described(self) -> dict[str, Any]:
        """What a kept model has of it beside its code, as JSON."""
        kept = {name: getattr(self, name) for name in ("name", "function", "digest")}
        return {**kept, "files": list(self.sources)}


def from_file(
    path: Path, function: str, directory: Path, parameters: Mapping[str, Any]
) -> OwnNetwork:
    """Read a file and the modules beside it that it imports, without running any of it.

    Raises ExperimentError.
    """
    import modulefinder

    finder = modulefinder.ModuleFinder(path=[str(path.parent)])
    try:
        finder.run_script(str(path))
        files = [Path(one.__file__) for one in finder.modules.values() if one.__file__]  # type: ignore[attr-defined]  # typeshed has no attributes
        sources = {
            str(file.relative_to(path.parent)): file.read_text(encoding="utf-8")
            for file in sorted({path, *files})
        }
    except FileNotFoundError:
        near = suggestion(path.name, [file.name for file in path.parent.glob("*.py")])
        raise ExperimentError(
            f"model.source: there is no file {path}; {near}, or write an example with: sweeps"
            f" new-model {path.name}"
        ) from None
    except (OSError, ValueError, SyntaxError) as error:  # SyntaxError has the file and the line
        raise ExperimentError(f"model.source {path}: it cannot be read ({error})") from None
    for file in sources:
        if (name := file.partition("/")[0].removesuffix(".py")) in OURS:
            raise ExperimentError(
                f"model.source {path}: it imports {path.parent / file}, and {name} is a package of"
                " this program; rename that file"
            )
    return OwnNetwork(path.name, function, sources, str(path.parent), str(directory), parameters)


def read(described: Mapping[str, Any], folder: Path) -> OwnNetwork:
    """Return the network of a kept model, whose code is in a folder. Raises ValueError if that is
    not as it was written.
    """
    sources = {file: (folder / file).read_text(encoding="utf-8") for file in described["files"]}
    place = str(folder)
    own = OwnNetwork(described["name"], described["function"], sources, place, place)
    if own.digest != described["digest"]:
        raise ValueError(f"the code in {folder} was changed")
    return own


def from_function(function: Callable[..., Any], parameters: Mapping[str, Any]) -> OwnNetwork:
    """Take a function as it is in this process, wherever it was defined. Raises InputError."""
    import cloudpickle

    if not inspect.isfunction(function):
        raise InputError(
            f"model is {function!r}; it must be a function or the path of a file: {EXAMPLE}"
        )
    module = inspect.getmodule(function) or sys.modules["__main__"]
    beside = [one for one in (module, *_beside(module)) if one.__name__ != "__main__"]
    for one in beside:
        cloudpickle.register_pickle_by_value(one)
    try:
        pickled = cloudpickle.dumps(function)
    except Exception as error:  # whatever an object of the user's raises
        raise InputError(
            f"model {function.__qualname__} cannot be sent to a worker ({error}); put it in a file"
            " of its own, with what it needs"
        ) from None
    finally:
        for one in beside:
            cloudpickle.unregister_pickle_by_value(one)
    name = f"{module.__name__}:{function.__qualname__}"
    sources = dict(_sources(function))
    here = str(Path.cwd())
    return OwnNetwork(name, function.__qualname__, sources, here, here, parameters, pickled)


def _beside(module: ModuleType) -> list[ModuleType]:
    """Return the modules of a module's own folder and below that are loaded, but packages that are
    installed.
    """
    file = getattr(module, "__file__", None)
    folder = Path(file).resolve().parent if file else Path.cwd()
    if "site-packages" in folder.parts or module.__name__.partition(".")[0] in OURS:
        return []
    found = []
    for one in list(sys.modules.values()):
        path = getattr(one, "__file__", None)
        if path and one is not module and folder in Path(path).resolve().parents:
            found.append(one)
    return [one for one in found if "site-packages" not in (one.__file__ or "")]


def _sources(function: Callable[..., Any]) -> Iterator[tuple[str, str]]:
    """Yield the name and the text of a function, and of all that it uses out of its own module and
    the modules beside it, so that another cell or line of the script changes nothing.
    """
    home = inspect.getmodule(function) or sys.modules["__main__"]
    own = {home.__name__, *(one.__name__ for one in _beside(home))}
    seen: set[str] = set()
    waiting: list[Any] = [function]
    while waiting:
        value = waiting.pop()
        name = f"{value.__module__}:{value.__qualname__}"
        if name in seen:
            continue
        seen.add(name)
        text = _text(value)
        yield name, text
        names = {node.id for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Name)}
        around = vars(sys.modules.get(value.__module__, home))
        closure = inspect.getclosurevars(value).nonlocals if inspect.isfunction(value) else {}
        for used in sorted(names):
            found = closure.get(used, around.get(used))
            if getattr(found, "__module__", None) in own and hasattr(found, "__qualname__"):
                waiting.append(found)
            elif isinstance(found, ModuleType) and found.__name__ in own:
                yield found.__name__, inspect.getsource(found)
            elif isinstance(found, int | float | str | tuple | list | dict):
                yield f"{value.__module__}:{used}", repr(found)


def _text(value: Any) -> str:
    try:
        return textwrap.dedent(inspect.getsource(value))
    except (OSError, TypeError):  # typed into a plain prompt
        code = getattr(value, "__code__", None)
        return repr(code and (hashlib.sha256(code.co_code).hexdigest(), code.co_consts))


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
        self.main = Path(own.name).stem

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> ModuleSpec | None:
        if name not in self._paths:
            return None
        return importlib.util.spec_from_loader(name, self, origin=self._paths[name])

    def get_filename(self, name: str) -> str:
        return self._paths[name]

    def get_data(self, path: str | bytes) -> bytes:
        return self._texts[str(path)].encode()

    def install(self) -> None:
        """Take the place of the network that was loaded before in this process."""
        for one in [one for one in sys.meta_path if isinstance(one, _Loader)]:
            sys.meta_path.remove(one)
            for name in one._paths:
                sys.modules.pop(name, None)
        sys.meta_path.insert(0, self)


@dataclass(frozen=True)
class Functions:
    """What a user's network is made of in a process: its `train`, and `load` if there is one."""

    train: Callable[..., Any]
    load: Callable[[Mapping[str, Any]], Any] | None


one_at_a_time = threading.RLock()
"""Held while a network is loaded or trained: modules, random states, the directory and standard
output are the process's, and a worker of a cluster may have several threads."""

_loaded: dict[str, Functions] = {}  # the last one, by its digest


def functions(own: OwnNetwork) -> Functions:
    """Load the functions of a network, which runs the user's code. Raises ExperimentError."""
    key = digest([own.digest, own.name, own.function])
    if key not in _loaded:
        _loaded.clear()
        _loaded[key] = _import(own)
    return _loaded[key]


def _import(own: OwnNetwork) -> Functions:
    if own.pickled is not None:
        return Functions(pickle.loads(own.pickled), None)
    loader = _Loader(own)
    loader.install()
    try:
        module = importlib.import_module(loader.main)
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
    with one_at_a_time:
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
    with one_at_a_time:
        load = functions(own).load
    try:
        network = load({name: array.copy() for name, array in arrays.items()}) if load else None
        found = np.asarray(network.predict(x), np.float64)  # type: ignore[union-attr]  # its own error
    except Exception as error:
        raise DataError(f"the kept network cannot predict: {reason(own, error)}") from None
    if found.shape != (len(x), classes) or not np.isfinite(found).all():
        raise DataError(f"{own.name}: predict returns no probabilities (rows, {classes}) any more")
    return found
