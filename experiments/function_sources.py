"""What a function from Python is made of: its text, and that of all that it uses."""

import contextlib
import dis
import hashlib
import inspect
import symtable
import sys
import sysconfig
import textwrap
from collections.abc import Iterator
from pathlib import Path
from types import CodeType, ModuleType
from typing import Any

import numpy as np

OURS = {"nnreg", "experiments", "sweeps"}
PLAIN = (bool, int, float, complex, str, bytes, np.generic, type(None))
INSTALLED = {Path(sysconfig.get_path(name)).resolve() for name in ("stdlib", "purelib", "platlib")}


def beside(module: ModuleType) -> list[ModuleType]:
    """Return the modules of a module's own folder and below that are loaded, but what is installed.

    None is beside a module that is installed itself.
    """
    file = getattr(module, "__file__", None)
    folder = Path(file).parent.absolute() if file else Path.cwd()
    if _is_installed(module.__name__, folder):
        return []
    folders = tuple(f"{one}".rstrip("/") + "/" for one in (folder, folder.resolve()))
    found = []
    for one in list(sys.modules.values()):
        path = getattr(one, "__file__", None)
        if path and one is not module and path.startswith(folders):
            found.append(one)
    return [one for one in found if not _is_installed(one.__name__, Path(one.__file__ or ""))]


def _is_installed(name: str, path: Path) -> bool:
    is_ours, parents = name.partition(".")[0] in OURS, {path, *path.parents}
    return is_ours or "site-packages" in path.parts or not INSTALLED.isdisjoint(parents)


def sources_of(function: Any) -> Iterator[tuple[str, str]]:
    """Yield the place and the text of a function, and of all that it uses out of its own module and
    the modules beside it, so that another cell or line of the script changes nothing.
    """
    home = inspect.getmodule(function) or sys.modules["__main__"]
    own = {home.__name__, *(one.__name__ for one in beside(home))}
    seen: set[int] = set()
    waiting: list[tuple[str, Any]] = [(function.__qualname__, function)]
    while waiting:
        place, value = waiting.pop()
        if isinstance(value, PLAIN):
            yield place, repr(value)
        elif isinstance(value, set | frozenset):
            yield place, repr(sorted(map(repr, value)))
        elif id(value) not in seen:
            seen.add(id(value))
            if isinstance(value, list | tuple | dict):
                inside = _inside(value)
                waiting += [(f"{place}[{key!r}]", one) for key, one in inside]
                text = f"{len(value)} parts" if inside else repr(value)
            elif _module(value) not in own:
                text = _described(value)
            elif isinstance(value, ModuleType) or hasattr(value, "__qualname__"):
                text = _text(value)
                waiting += [(f"{place} {used}", found) for used, found in _used(value, text, home)]
                waiting += [(one, sys.modules[one]) for one in sorted(_below(value, own))]
            else:  # an instance of a class
                text = _described(value)
                waiting += [(f"{place} class", type(value)), (f"{place} of", vars(value))]
            yield place, text


def _inside(value: Any) -> list[tuple[Any, Any]]:
    """Return what is in a container, by place; nothing if all of it is plain."""
    items = list(value.items() if isinstance(value, dict) else enumerate(value))
    return [] if all(isinstance(one, PLAIN) for _, one in items) else items


def _module(value: Any) -> str | None:
    return value.__name__ if isinstance(value, ModuleType) else getattr(value, "__module__", None)


def _below(value: Any, own: set[str]) -> list[str]:
    """Return the modules of a package: `import package.module` binds the package alone."""
    is_module = isinstance(value, ModuleType)
    return [one for one in own if is_module and one.startswith(f"{value.__name__}.")]


def _described(value: Any) -> str:
    """Return what a value of other code is, the same in each process."""
    if isinstance(value, np.ndarray) and value.dtype.kind != "O":
        return f"{value.dtype}{value.shape} {hashlib.sha256(value.tobytes()).hexdigest()}"
    if isinstance(value, ModuleType):
        return value.__name__
    name = getattr(value, "__qualname__", getattr(value, "__name__", ""))
    return f"{type(value).__qualname__} {name}"


def _used(value: Any, text: str, home: ModuleType) -> list[tuple[str, Any]]:
    """Return what a function, a class or a module uses, by name."""
    names = set(_names(value.__code__)) if hasattr(value, "__code__") else set()
    if not names:
        with contextlib.suppress(SyntaxError):
            names = set(_global_names(symtable.symtable(text, "<text>", "exec")))
    module = value if isinstance(value, ModuleType) else sys.modules.get(value.__module__, home)
    around = dict(vars(module))
    if inspect.isfunction(value):
        closure = dict(inspect.getclosurevars(value).nonlocals)
        given: dict[str, Any] = {"its defaults": [value.__defaults__, value.__kwdefaults__]}
        around, names = around | closure | given, names | {*closure, *given}
    return [(name, around[name]) for name in sorted(names & set(around)) if name[:2] != "__"]


def _global_names(table: symtable.SymbolTable) -> Iterator[str]:
    """Yield the names in a text that are not local, also of functions inside."""
    for name in table.get_symbols():
        if name.is_global() or (table.get_type() == "module" and name.is_referenced()):
            yield name.get_name()
    for inner in table.get_children():
        yield from _global_names(inner)


def _names(code: CodeType) -> Iterator[str]:
    """Yield the names that are not local, also of functions inside."""
    for each in dis.get_instructions(code):
        if each.opname in ("LOAD_GLOBAL", "LOAD_NAME"):
            yield each.argval
    for one in code.co_consts:
        if inspect.iscode(one):
            yield from _names(one)


def _text(value: Any) -> str:
    code = getattr(value, "__code__", None)  # of the function itself, not of one that it wraps
    try:
        return textwrap.dedent(inspect.getsource(code or value))
    except (OSError, TypeError):  # typed into a plain prompt, or an empty file
        return _expression(code) if code else ""


def _expression(code: CodeType) -> str:
    """Return what a compiled function is made of."""
    constants = [
        _expression(one)
        if inspect.iscode(one)
        else repr(sorted(map(repr, one)) if isinstance(one, frozenset) else one)
        for one in code.co_consts
    ]
    return repr([code.co_code.hex(), *code.co_names, *constants])
