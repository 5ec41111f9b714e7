"""A user's own network: the source text of one function, and of what it needs."""

import ast
import functools
import inspect
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from experiments.digest import digest
from experiments.errors import ExperimentError, InputError
from experiments.function_sources import OURS, beside, sources_of
from experiments.wording import suggestion

GIVEN = ("seed", "epochs", "batch_size", "learning_rate")  # keywords of each call
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
    def imports(self) -> set[str]:
        """The names of the modules and packages that its files import, wherever in them."""
        nodes = [node for text in self.sources.values() for node in ast.walk(ast.parse(text))]
        names = [one.name for node in nodes if isinstance(node, ast.Import) for one in node.names]
        names += [node.module or "" for node in nodes if isinstance(node, ast.ImportFrom)]
        return {name.partition(".")[0] for name in names}

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

    class Finder(modulefinder.ModuleFinder):
        def find_module(self, name: str, path: Any, parent: Any = None) -> Any:
            try:
                return super().find_module(name, path, parent)
            except AttributeError:  # a folder without __init__.py, perhaps not meant at all
                raise ImportError(name) from None

    finder = Finder(path=[str(path.parent)])
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
        name = file.partition("/")[0].removesuffix(".py")
        if name in OURS | sys.stdlib_module_names | {"numpy"} or "." in name:
            raise ExperimentError(
                f"model.source {path}: {path.parent / file} cannot be imported by the name {name},"
                " which is that of another module, or has a dot; rename that file"
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
    by_value = [one for one in (module, *beside(module)) if one.__name__ != "__main__"]
    for one in by_value:
        cloudpickle.register_pickle_by_value(one)
    try:
        pickled = cloudpickle.dumps(function)
    except Exception as error:  # whatever an object of the user's raises
        raise InputError(
            f"model {function.__qualname__} cannot be sent to a worker ({error}); put it in a file"
            " of its own, with what it needs"
        ) from None
    finally:
        for one in by_value:
            cloudpickle.unregister_pickle_by_value(one)
    name = f"{module.__name__}:{function.__qualname__}"
    sources = dict(sources_of(function))
    here = str(Path.cwd())
    return OwnNetwork(name, function.__qualname__, sources, here, here, parameters, pickled)
