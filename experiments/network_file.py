"""The file of a user's own network: what can be read of it without running it, and an example."""

import ast
import importlib.util
from pathlib import Path

from experiments import network
from experiments.errors import ExperimentError, InputError
from experiments.model_section import FILE, PASSED, OwnModel
from experiments.section import Parameter
from experiments.writing import check_new, write_text

EXAMPLE = Path(__file__).with_name("example_network.py")
COMMAND = "sweeps new-model "


def write_example(path: Path) -> Path:
    """Write the example of a network, which runs as it stands. Raises InputError if the file exists
    or cannot be imported under that name, DirectoryError if it cannot be written.
    """
    check_new(path, FILE, "a Python file", COMMAND)
    name = path.stem
    if not name.isidentifier() or importlib.util.find_spec(name):
        raise InputError(
            f"{path}: a network is imported by the name of its file, so that must be a name of"
            f" Python that no module has yet; write for example {COMMAND}my_network.py"
        )
    return write_text(EXAMPLE.read_text(encoding="utf-8"), path)


def read(path: Path, function: str = "train") -> tuple[OwnModel, list[str]]:
    """Return the table [model] for a file, with the parameters that its function has a value for,
    and the names of those that have none. Raises ExperimentError.
    """
    if path.suffix != FILE:
        raise ExperimentError(f"--model {path}: it must be a Python file, which ends with {FILE}")
    text = network.from_file(path.resolve(), function, path.parent, {}).sources[path.name]
    nodes = list(ast.walk(ast.parse(text)))
    functions = {one.name: one for one in nodes if isinstance(one, ast.FunctionDef)}
    names = {one.asname or one.name for one in nodes if isinstance(one, ast.alias)}
    names |= {one.id for one in nodes if isinstance(one, ast.Name)}
    if function not in functions.keys() | names:
        raise ExperimentError(
            f"--model {path}: there is no function {function!r} in it; rename yours, or add the"
            f" line: {function} = YOUR_FUNCTION"
        )
    values, without = _parameters(functions[function].args) if function in functions else ({}, [])
    return OwnModel(source=str(path), function=function, parameters=values), without


def _parameters(arguments: ast.arguments) -> tuple[dict[str, Parameter], list[str]]:
    """Return the parameters of a function that have a plain value, and those that need one."""
    first = [*arguments.posonlyargs, *arguments.args]
    defaults = [None] * (len(first) - len(arguments.defaults)) + arguments.defaults
    pairs = [*zip(first, defaults, strict=True)][2:]  # the two are the split and the lambdas
    pairs += zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True)
    own = {name.arg: default for name, default in pairs if name.arg not in PASSED}
    values = {name: one.value for name, one in own.items() if isinstance(one, ast.Constant)}
    plain: dict[str, Parameter] = {
        name: one for name, one in values.items() if isinstance(one, bool | int | float | str)
    }
    return plain, [name for name, default in own.items() if default is None]
