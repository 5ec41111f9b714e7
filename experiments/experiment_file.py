"""The experiment file: a catalog name or a TOML file, with edits, as an Experiment or as one
sentence that says what is wrong.
"""

import tomllib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, get_args

from pydantic import BaseModel, ValidationError

from experiments.catalog import catalog as catalog
from experiments.errors import ExperimentError
from experiments.spec import FILE_SUFFIXES, Data, Experiment, nearest

LONGEST_VALUE = 60  # characters of a value in a sentence


def load(source: "str | Path | Experiment", edits: Iterable[str] = ()) -> Experiment:
    """The experiment that `source` names (a catalog name, or a path to a TOML file), after the
    edits `key=value`.

    Raises ExperimentError with one sentence: file, key, value, rule, remedy.
    """
    edits = list(edits)
    if isinstance(source, Experiment):
        if not edits:
            return source
        table: dict[str, Any] = source.model_dump(exclude_unset=True)
        where, folder = source.name, Path.cwd()
    else:
        path = catalog().get(str(source)) or Path(source)
        where, folder = str(source), path.parent
        table = _parse(path, where)
    for edit in edits:
        _apply(edit, table)
    return parse(table, where, folder)


def parse(table: Mapping[str, Any], where: str, folder: Path) -> Experiment:
    """The experiment that a parsed TOML table holds; its data files are relative to `folder`."""
    try:
        experiment = Experiment.model_validate(table)
    except ValidationError as error:
        raise ExperimentError(f"{where}: {_sentence(error)}") from None
    data = experiment.data
    absolute = {key: str((folder / path).resolve()) for key, path in data.files.items()}
    if not absolute:
        _check_bundled(data, where)
        return experiment
    for key, name in absolute.items():
        _check_file(f"{where}: data.{key}", Path(name))
    return experiment.model_copy(update={"data": data.model_copy(update=absolute)})


def _parse(path: Path, where: str) -> dict[str, Any]:
    try:
        text = path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        if path.suffix == ".toml" or len(path.parts) > 1:
            raise ExperimentError(
                f"{where}: there is no such file; check the path, or write one with: sweeps new"
                " DATA"
            ) from None
        hint = nearest(where, list(catalog()))
        raise ExperimentError(
            f"{where}: neither a catalog name nor a file; {hint}, or give a path to a TOML file"
        ) from None
    except IsADirectoryError:
        raise ExperimentError(f"{where}: this is a directory; give the TOML file in it") from None
    except UnicodeDecodeError as error:
        raise ExperimentError(
            f"{where}: not a TOML file, byte {error.start} is not UTF-8; give the experiment file,"
            " not the data"
        ) from None
    except OSError as error:
        raise ExperimentError(
            f"{where}: cannot be read ({error.strerror}); check its permissions"
        ) from None
    except ValueError as error:  # a NUL in the path
        raise ExperimentError(f"{where!r}: not a path ({error}); check its spelling") from None
    try:
        return tomllib.loads(text)
    except (ValueError, RecursionError) as error:  # also a number of more digits than Python reads
        raise ExperimentError(f"{where}: not valid TOML: {error}; correct that place") from None


def _check_file(where: str, path: Path) -> None:
    if path.suffix.lower() not in FILE_SUFFIXES:
        raise ExperimentError(
            f"{where} is {path}; a file of rows ends with {', '.join(FILE_SUFFIXES)}: convert it to"
            " one of these"
        )
    if path.is_dir():
        raise ExperimentError(f"{where} is {path}, a directory; name the file in it")
    try:
        path.open("rb").close()
    except FileNotFoundError:
        raise ExperimentError(
            f"{where} is {path}, which is not there; paths are relative to the experiment file:"
            " correct it"
        ) from None
    except OSError as error:
        raise ExperimentError(
            f"{where} is {path}, which cannot be read ({error.strerror}); check its permissions"
        ) from None


def _check_bundled(data: Data, where: str) -> None:
    from experiments.datasets import BUNDLED

    if data.source not in BUNDLED:
        hint = nearest(data.source, list(BUNDLED))
        raise ExperimentError(
            f"{where}: data.source is {data.source!r}; it is neither bundled data nor a file ending"
            f" with {', '.join(FILE_SUFFIXES)}; {hint}"
        )
    for key in ("target", "validation", "test"):
        if getattr(data, key) is not None:
            raise ExperimentError(
                f"{where}: data.{key} goes with a file, and data.source is the bundled"
                f" {data.source!r}; remove it"
            )


def _apply(edit: str, table: dict[str, Any]) -> None:
    """Write `section.key=value` into the table; the value is TOML, or else a plain string."""
    key, equals, text = edit.partition("=")
    key, text = key.strip(), text.strip()
    if not equals or not key:
        raise ExperimentError(
            f"--set {edit}: not KEY=VALUE; write for example --set training.epochs=50"
        )
    try:
        value = tomllib.loads(f"value = {text}")["value"]
    except (ValueError, RecursionError):
        value = text
    *parents, last = key.split(".")
    for parent in parents:
        child = table.setdefault(parent, {})
        if not isinstance(child, dict):
            child = table[parent] = {}
        table = child
    table[last] = value


def _sentence(error: ValidationError) -> str:
    """The first thing that is wrong, as what, the value, the rule, the remedy."""
    # A misspelt key first: the key that is missing is then mostly the same one.
    errors = sorted(
        error.errors(include_url=False), key=lambda each: each["type"] != "extra_forbidden"
    )
    first, key = errors[0], _key(errors[0])
    kind, value, context = first["type"], first["input"], first.get("ctx", {})
    shown = _shown(value)
    if kind == "extra_forbidden":
        return f"unknown key {key} = {shown}; {_known(key)}"
    if kind == "missing":
        example = {
            "name": 'name = "mine"',
            "data": '[data] source = "digits"',
            "data.source": 'source = "digits"',
        }
        return f"{key} is missing; write for example {example.get(key, key + ' = 1e-6')}"
    if kind == "value_error":
        return f"{key} = {shown}: {context['error']}" if key else str(context["error"])
    rules = [each["msg"].removeprefix("Input should be ") for each in errors if _key(each) == key]
    return f"{key} is {shown}; it must be {' or '.join(dict.fromkeys(rules))}: correct it"


def _shown(value: object) -> str:
    try:
        text = repr(value)
    except (ValueError, RecursionError):  # a number of more digits than Python writes
        return "something too long to be shown"
    return text if len(text) <= LONGEST_VALUE else f"{text[: LONGEST_VALUE - 3]}..."


def _key(error: Any) -> str:
    """The dotted key that an error is about, without the branches of a choice between types."""
    return ".".join(
        str(part)
        for part in error["loc"]
        if part not in ("literal['full']", "int", "constrained-int")
    )


def _known(key: str) -> str:
    """What was probably meant by an unknown key."""
    parents, _, last = key.rpartition(".")
    for name, field in Experiment.model_fields.items():
        if (
            isinstance(field.annotation, type)
            and issubclass(field.annotation, BaseModel)
            and last in field.annotation.model_fields
        ):
            return f"it belongs into the table [{name}]"
    return nearest(last, list(_section(parents).model_fields))


def _section(dotted: str) -> type[BaseModel]:
    """The model of a table, by its dotted key."""
    section: type[BaseModel] = Experiment
    for part in filter(None, dotted.split(".")):
        annotation: Any = section.model_fields[part].annotation
        classes = [
            arg
            for arg in (annotation, *get_args(annotation))
            if isinstance(arg, type) and issubclass(arg, BaseModel)
        ]
        section = classes[0]
    return section
