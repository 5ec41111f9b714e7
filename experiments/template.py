"""The template: a data file in, a commented experiment file out, with what could be guessed filled
in.
"""

import os
import re
import unicodedata
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from experiments import datasets, experiment_file
from experiments.axes import Range, Section
from experiments.datasets import columns, csv_text, files, labels, values
from experiments.datasets.wording import listed, shown, toml_list, toml_string
from experiments.errors import DataError, InputError, unwritable
from experiments.names import DEVICES, LONGEST_NAME, MOST_BYTES
from experiments.spec import Data, Experiment, Training

if TYPE_CHECKING:
    from pydantic.fields import FieldInfo

ENCODINGS = (
    "utf-16",
    "cp1252",
    "latin-1",
)  # tried in this order where the default does not fit; the last always fits
STEPS_AN_EPOCH = 16  # that the batch size leaves at least, so that few rows do not mean few steps
SMALLEST_BATCH = 16
CODES = range(3, 21)  # how many different whole numbers look like codes


@dataclass(frozen=True, kw_only=True)
class Written:
    """The experiment file that was written, and what was guessed, one sentence each."""

    path: Path
    guesses: tuple[str, ...]


def write(data_file: Path, target: str | None = None, output: Path | None = None) -> Written:
    """Write an experiment file for the data, by default `<stem of the data>.toml` in the current
    directory.

    Raises DataError where the file or its target cannot be read, InputError where `output` is there
    already or has no folder, DirectoryError where it cannot be written. What keeps the data from
    being used otherwise is a sentence of the guesses.
    """
    output = Path(f"{data_file.stem}.toml") if output is None else output
    _check_output(output)
    guesses: list[str] = []
    data = Data(source=str(data_file), target=target)
    if data_file.suffix.lower() == ".csv":
        data = _guess_text(data_file, data, guesses)
    table = files.read(data_file, data)
    classes = labels.find_classes(table, labels.read_labels(table, data.missing))
    guesses.insert(
        0,
        f"{len(table.frame)} rows, and {len(classes)} classes in {shown(table.target)}:"
        f" {listed(classes)}",
    )
    data = _guess_drop(table, data, guesses)
    codes = _codes(table, data)
    if codes:
        guesses.append(
            f"few different whole numbers in {listed(codes)}: if these are codes, name them in"
            " data.categorical"
        )
    rows = _try(data, len(table.frame), guesses)
    size = batch_size(rows)
    guesses.append(f"training.batch_size = {size}, which suits {rows} rows to train on")
    experiment = _experiment(data, size, data_file, output)
    _create(output, _render(experiment, codes, output.name))
    return Written(path=output, guesses=tuple(guesses))


def _check_output(output: Path) -> None:
    if output.suffix != ".toml":
        raise InputError(
            f"{output}: an experiment file ends with .toml; write --output {output.name}.toml"
        )
    if output.exists() or output.is_symlink():
        raise InputError(
            f"{output}: this is there already, and is never overwritten; delete it, or write"
            " --output FILE.toml"
        )
    if not output.parent.is_dir():
        raise InputError(
            f"{output}: there is no directory {output.parent}; make it, or write --output FILE.toml"
        )


def _guess_text(path: Path, data: Data, guesses: list[str]) -> Data:
    """The encoding, where the default does not fit; the separator is found again at each reading."""
    if not path.is_file():
        return data  # reading it says what is wrong
    for encoding in (data.encoding, *ENCODINGS):
        try:
            text = csv_text.decode(path, encoding)
        except DataError:
            continue
        if encoding != data.encoding:
            guesses.append(
                f"data.encoding = {toml_string(encoding)}, because the file is not UTF-8"
            )
        separator = csv_text.find_separator(text)
        if separator != ",":
            guesses.append(
                f"the fields are divided by {shown(separator)}, which data.separator ="
                f" {toml_string('auto')} finds"
            )
        return data.model_copy(update={"encoding": encoding})
    return data


def _guess_drop(table: files.Table, data: Data, guesses: list[str]) -> Data:
    """The columns that are refused as inputs: ids, free text, dates."""
    drop = []
    for name in columns.inputs(table, data):
        try:
            verdict = columns.judge(table, name, data)
        except DataError:
            continue  # a value in it must be corrected first; trying the data says so
        if verdict.kind == "refused":
            drop.append(name)
            guesses.append(f"data.drop has {shown(name)}, because it {verdict.reason}")
    return data.model_copy(update={"drop": tuple(drop)})


def _codes(table: files.Table, data: Data) -> list[str]:
    """The columns that hold a few different whole numbers."""
    import numpy as np

    found = []
    for name in columns.inputs(table, data) if Path(data.source).suffix.lower() != ".npz" else []:
        numbers, bad = values.parse_numbers(table.frame[name], data.missing)
        different = np.unique(numbers[np.isfinite(numbers)])
        if (
            bad is None
            and len(different) in CODES
            and bool((different == np.floor(different)).all())
        ):
            found.append(name)
    return found


def _try(data: Data, rows: int, guesses: list[str]) -> int:
    """The rows to train on, by loading the data as `sweeps run` will."""
    try:
        dataset = datasets.load(data)
    except DataError as error:
        guesses.append(f"it cannot run yet: {error}")
        return int(rows * (1 - data.split.val - data.split.test))
    guesses += dataset.notes
    return dataset.rows["training"]


def batch_size(rows: int) -> int:
    """The default, or for few rows the largest power of two that leaves enough steps in an epoch."""
    default = Training().batch_size
    size = SMALLEST_BATCH
    while isinstance(default, int) and 2 * size <= default and 2 * size * STEPS_AN_EPOCH <= rows:
        size *= 2
    return size


def _experiment(data: Data, size: int, data_file: Path, output: Path) -> Experiment:
    """The experiment that the file will hold, with `data.source` relative to it."""
    folder = output.parent.resolve()
    source = Path(os.path.relpath(data_file.resolve(), folder)).as_posix()
    table = {
        "name": experiment_name(data_file.stem),
        "data": {**data.model_dump(exclude_defaults=True), "source": source},
        "training": {"batch_size": size},
    }
    checked = experiment_file.parse(table, str(output), folder)
    return checked.model_copy(update={"data": checked.data.model_copy(update={"source": source})})


def experiment_name(stem: str) -> str:
    """The name of a file as the name of an experiment: what may not stand in one becomes _."""
    name = re.sub(r"[^\w .+-]", "_", unicodedata.normalize("NFKC", stem)).lstrip(" .+-")[
        :LONGEST_NAME
    ]
    name = name.encode()[:MOST_BYTES].decode(errors="ignore").rstrip(" .")
    return f"_{name}" if DEVICES.match(name) else name or "experiment"


def _render(experiment: Experiment, codes: list[str], file: str) -> str:
    from jinja2 import Environment, StrictUndefined

    # The result is TOML and no HTML: every value goes through the filter `toml`, which escapes what
    # TOML needs.
    environment = Environment(undefined=StrictUndefined, keep_trailing_newline=True)
    environment.filters["toml"] = toml
    text = Path(__file__).with_name("template.toml.j2").read_text(encoding="utf-8")
    hints = {}
    if codes:
        hints["categorical"] = (
            "Here these hold few different whole numbers; those that are codes belong below:"
            f" {toml(codes)}"
        )
    return environment.from_string(text).render(
        experiment=experiment, hints=hints, file=file, line=_line, plain_keys=plain_keys
    )


def plain_keys(section: Section) -> list[tuple[str, "FieldInfo"]]:
    """The keys of a table of the experiment file but those that are tables themselves."""
    given = [
        (name, field, getattr(section, name)) for name, field in type(section).model_fields.items()
    ]
    return [
        (name, field)
        for name, field, value in given
        if isinstance(value, Range) or not isinstance(value, Section)
    ]


def _line(key: str, value: Any, field: "FieldInfo") -> str:
    """`key = value`; where there is none, an example behind `#:`."""
    return (
        f"{key} = {toml(value)}"
        if value is not None
        else f"#: {key} = {toml((field.examples or [])[0])}"
    )


def toml(value: Any) -> str:
    """A value of an experiment as TOML writes it, on one line."""
    if isinstance(value, str):
        return toml_string(value)
    if isinstance(value, Range):
        return f"{{ low = {value.low!r}, high = {value.high!r} }}"
    if isinstance(value, tuple | list):
        return (
            toml_list(value) if all(isinstance(item, str) for item in value) else repr(list(value))
        )
    return repr(value)


def _create(output: Path, text: str) -> None:
    """Write the file where there is none. Raises InputError, DirectoryError."""
    try:
        with output.open("x", encoding="utf-8", newline="\n") as file:
            try:
                file.write(text)
                file.flush()
            except OSError:
                output.unlink()  # half a file would not be overwritten next time
                raise
    except FileExistsError:
        raise InputError(
            f"{output}: this is there already, and is never overwritten; write --output FILE.toml"
        ) from None
    except OSError as error:
        raise unwritable(output, error, "check the directory's permissions") from None
