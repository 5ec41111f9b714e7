"""The template: a data file in, a commented experiment file out, with what could be guessed."""

import codecs
import os
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from experiments import datasets
from experiments.data_section import Data
from experiments.datasets import columns, csv_text, files, labels, values
from experiments.errors import DataError, InputError
from experiments.names import name_from
from experiments.section import plain_keys
from experiments.spec import Experiment, Training
from experiments.wording import listed, short_repr, toml
from experiments.writing import write_text

STEPS_PER_EPOCH = 16  # that the batch size leaves at least, so that few rows do not mean few steps
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

    Raises DataError where the file or its target cannot be read, InputError where `output` exists
    or cannot be an experiment file, DirectoryError where it cannot be written. What else keeps the
    data from being used is a sentence of the guesses.
    """
    output = output or Path(f"{data_file.stem}.toml")
    _check_output(output)
    found: list[str] = []
    data = Data(source=str(data_file), target=target)
    if data.suffix == ".csv":
        data = data.model_copy(update={"encoding": _guess_encoding(data_file, found)})
    table = files.read(data_file, data)
    classes = labels.find_classes(table, labels.read_labels(table, data.missing))
    name = short_repr(table.target)
    guesses = [f"{len(table.frame)} rows, and {len(classes)} classes in {name}: {listed(classes)}"]
    guesses += found
    data = _guess_drop(table, data, guesses)
    codes = [] if data.suffix == ".npz" else _codes(table, data)
    if codes:
        guesses.append(
            f"few different whole numbers in {listed(codes)}: if these are codes, name them in"
            " data.categorical"
        )
    rows = _try(data, len(table.frame), guesses)
    size = batch_size(rows)
    guesses.append(f"training.batch_size = {size}, which suits {rows} rows to train on")
    write_text(_render(data, codes, size, output), output)
    return Written(path=output, guesses=tuple(guesses))


def _check_output(output: Path) -> None:
    if output.suffix != ".toml":
        raise InputError(
            f"{output}: an experiment file ends with .toml; write --output {output.name}.toml"
        )
    if output.exists():
        raise InputError(
            f"{output}: this is there already, and is never overwritten; delete it, or write"
            " --output FILE.toml"
        )
    if not output.parent.is_dir():
        raise InputError(
            f"{output}: there is no directory {output.parent}; make it, or write --output FILE.toml"
        )


def _guess_encoding(path: Path, guesses: list[str]) -> str:
    """Return the default where it fits, else one that does; and note the separator found."""
    default = str(Data.model_fields["encoding"].default)
    if not path.is_file():
        return default  # reading it says what is wrong
    content = path.read_bytes()
    marked = content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    text, encoding = "", default
    for encoding in ("utf-16",) if marked else (default, "cp1252", "latin-1"):
        with suppress(UnicodeError):
            text = content.decode(encoding)
            break
    if encoding != default:
        guesses.append(f"data.encoding = {toml(encoding)}, because the file is not UTF-8")
    separator = csv_text.find_separator(text)
    if separator != ",":
        guesses.append(
            f"the fields are divided by {short_repr(separator)}, which data.separator ="
            ' "auto" finds'
        )
    return encoding


def _guess_drop(table: files.RawTable, data: Data, guesses: list[str]) -> Data:
    """Leave out the columns that are refused as inputs: ids, free text, dates."""
    drop = []
    for name in columns.inputs(table, data):
        with suppress(DataError):  # trying the data says which value must be corrected first
            kind = columns.judge(table, name, data)
            if kind.kind == "refused":
                drop.append(name)
                guesses.append(f"data.drop has {short_repr(name)}, because it {kind.reason}")
    return data.model_copy(update={"drop": tuple(drop)})


def _codes(table: files.RawTable, data: Data) -> list[str]:
    """Return the columns that hold a few different whole numbers."""
    found = []
    for name in columns.inputs(table, data):
        numbers, bad = values.parse_numbers(table.frame[name], data.missing)
        different = {number for number in numbers.tolist() if number == number}
        whole = all(number.is_integer() for number in different)
        if bad is None and len(different) in CODES and whole:
            found.append(name)
    return found


def _try(data: Data, rows: int, guesses: list[str]) -> int:
    """Return the rows to train on, by loading the data as `sweeps run` will."""
    try:
        dataset = datasets.load(data)
    except DataError as error:
        guesses.append(f"it cannot run yet: {error}")
        return int(rows * (1 - data.split.val - data.split.test))
    guesses += dataset.notes
    return dataset.rows["training"]


def batch_size(rows: int) -> int:
    """Return the default, or for few rows the largest power of two with enough steps per epoch."""
    default = Training().batch_size
    size = SMALLEST_BATCH
    while isinstance(default, int) and 2 * size <= default and 2 * size * STEPS_PER_EPOCH <= rows:
        size *= 2
    return size


def _render(data: Data, codes: list[str], size: int, output: Path) -> str:
    """Return the text of the experiment file; the path of its data is relative to it."""
    from jinja2 import Environment, StrictUndefined

    source = Path(data.source)
    relative = Path(os.path.relpath(source.resolve(), output.parent.resolve())).as_posix()
    experiment = Experiment(
        name=name_from(source.stem),
        data=data.model_copy(update={"source": relative}),
        training=Training(batch_size=size),
    )
    # The result is TOML and no HTML: the filter `toml` escapes what TOML needs.
    environment = Environment(undefined=StrictUndefined, keep_trailing_newline=True)
    environment.filters["toml"] = toml
    text = Path(__file__).with_name("template.toml.j2").read_text(encoding="utf-8")
    return environment.from_string(text).render(
        experiment=experiment, codes=codes, file=output.name, plain_keys=plain_keys
    )
