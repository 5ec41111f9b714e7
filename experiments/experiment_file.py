"""The experiment file: a catalog name or a TOML file, with edits, as an Experiment."""

import tomllib
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from experiments.catalog import catalog as catalog
from experiments.data_section import FILE_SUFFIXES, Data
from experiments.errors import ExperimentError
from experiments.model_section import FILE, OwnModel
from experiments.search_section import is_function
from experiments.spec import Experiment, flatten
from experiments.wording import short_repr, suggestion


def load(
    source: "str | Path | Experiment",
    edits: Iterable[str] = (),
    model: "str | Path | Callable[..., Any] | None" = None,
) -> Experiment:
    """Return the experiment that `source` names (a catalog name, or a path to a TOML file), with
    the user's own network in `model` (a path, or a function), after the edits `key=value`.

    Raises ExperimentError with one sentence: file, key, value, rule, remedy.
    """
    edits = list(edits)
    if isinstance(source, Experiment):
        if not edits and model is None:
            return source
        table: dict[str, Any] = source.model_dump(exclude_unset=True)
        where, folder = source.name, Path.cwd()
    else:
        path = catalog().get(str(source)) or Path(source)
        # A catalog's file is inside the package, and all that is relative is the user's.
        where, folder = str(source), Path.cwd() if str(source) in catalog() else path.parent
        table = _read(path, where)
    there = table.get("model", {}) if model is not None else {}
    own = {key: there[key] for key in ("function", "parameters") if key in there}
    if isinstance(model, str | Path):
        table["model"] = own | {"source": str(Path(model).absolute()), "directory": str(Path.cwd())}
    elif model is not None:
        table["model"] = {"source": ":", "parameters": own.get("parameters", {})}
    for edit in edits:
        _apply(edit, table)
    experiment = parse(table, where, folder)
    if experiment.own is None or model is None or isinstance(model, str | Path):
        return experiment
    section = OwnModel.of(model, experiment.own.parameters)
    return experiment.model_copy(update={"model": section})


def parse(table: Mapping[str, Any], where: str, folder: Path) -> Experiment:
    """Return the experiment in a table of TOML; its data files are relative to `folder`."""
    try:
        experiment = Experiment.model_validate(table)
    except ValidationError as error:
        raise ExperimentError(f"{where}: {_sentence(error)}") from None
    updates: dict[str, Any] = {}
    data, own = experiment.data, experiment.own
    if data.is_file:
        absolute = {key: str((folder / path).resolve()) for key, path in data.files.items()}
        updates["data"] = data.model_copy(update=absolute)
    else:
        _check_bundled(data, where)
    if own and not is_function(own.source):
        if not own.has_file:
            raise ExperimentError(
                f"{where}: model.source is {own.source!r}; it must be a Python file, whose name"
                f" ends with {FILE}"
            )
        place = {"source": folder / own.source, "directory": folder / own.directory}
        absolute = {key: str(path.resolve()) for key, path in place.items()}
        updates["model"] = own.model_copy(update=absolute)
    return experiment.model_copy(update=updates) if updates else experiment


def _read(path: Path, where: str) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except FileNotFoundError:
        raise ExperimentError(
            f"{where}: there is no such file and no such catalog name;"
            f" {suggestion(where, catalog())}, or write a file with: sweeps new DATA"
        ) from None
    except OSError as error:
        reason = error.strerror
        raise ExperimentError(f"{where}: cannot be read ({reason}); give a TOML file") from None
    except (ValueError, RecursionError) as error:  # no UTF-8, a NUL in the path, or no TOML
        raise ExperimentError(f"{where}: not valid TOML: {error}; correct that place") from None


def _check_bundled(data: Data, where: str) -> None:
    from experiments.datasets import BUNDLED

    if data.source not in BUNDLED:
        raise ExperimentError(
            f"{where}: data.source is {data.source!r}; it is neither bundled data nor a file ending"
            f" with {', '.join(FILE_SUFFIXES)}; {suggestion(data.source, BUNDLED)}"
        )
    for key in ("target", "validation", "test"):
        if getattr(data, key) is not None:
            raise ExperimentError(
                f"{where}: data.{key} goes with a file, and data.source is the bundled"
                f" {data.source!r}; remove it"
            )


def _apply(edit: str, table: dict[str, Any]) -> None:
    """Write `section.key=value` into the table; a value that is no TOML is a plain string."""
    key, equals, text = edit.partition("=")
    key, text = key.strip(), text.strip()
    if not equals or not key:
        example = "--set training.epochs=50"
        raise ExperimentError(f"--set {edit}: not KEY=VALUE; write for example {example}")
    try:
        value = tomllib.loads(f"value = {text}")["value"]
    except (ValueError, RecursionError):
        value = text
    *parents, last = key.split(".")
    for parent in parents:
        if not isinstance(table.get(parent), dict):
            table[parent] = {}
        table = table[parent]
    table[last] = value


def _sentence(error: ValidationError) -> str:
    """Return the first thing that is wrong, as what, the value, the rule, the remedy."""
    # A misspelt key first: the key that is missing is then mostly the same one.
    errors = sorted(
        error.errors(include_url=False), key=lambda each: each["type"] != "extra_forbidden"
    )
    first, key = errors[0], _key(errors[0])
    value = short_repr(first["input"])
    if first["type"] == "extra_forbidden":
        return f"unknown key {key} = {value}; {_known(key)}"
    if first["type"] == "missing":
        return f'{key} is missing; the smallest file is: name = "mine" [data] source = "digits"'
    if first["type"] == "value_error":
        return f"{key} = {value}: {first['ctx']['error']}" if key else str(first["ctx"]["error"])
    rules = [each["msg"].removeprefix("Input should be ") for each in errors if _key(each) == key]
    return f"{key} is {value}; it must be {' or '.join(dict.fromkeys(rules))}: correct it"


def _key(error: Any) -> str:
    """Return the dotted key of an error, without the branches of a choice between types."""
    branches = (
        "literal['full']",
        "int",
        "constrained-int",
        "number",
        "range",
        *("own", "built_in", "value"),
    )
    return ".".join(str(part) for part in error["loc"] if part not in branches)


def _known(key: str) -> str:
    *parents, last = key.split(".")
    siblings = Experiment(name="x", data=Data(source="x")).model_dump()
    for dotted, _ in flatten(siblings):
        if dotted == key:
            return "it goes with this program's network, and model.source names your own; remove it"
        if dotted.endswith(f".{last}"):
            return f"it belongs in the table [{dotted.rpartition('.')[0]}]"
    for parent in parents:
        siblings = siblings[parent]
    return suggestion(last, siblings)
