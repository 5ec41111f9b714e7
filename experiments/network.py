"""A user's own network: the source text of one function, and of what it needs."""

import ast
import functools
import inspect
import sys
import textwrap
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import CodeType, ModuleType
from typing import Any

from experiments.digest import digest
from experiments.errors import ExperimentError, InputError
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
        return _expression(code) if code else "None"


def _expression(code: CodeType) -> str:
    """Return what a compiled function is made of, its names as names: it can be parsed."""
    constants = [
        _expression(one) if inspect.iscode(one) else repr(repr(one)) for one in code.co_consts
    ]
    parts = [repr(code.co_code.hex()), *code.co_names, *constants]
    return f"[{', '.join(parts)}]"
