"""The template: a data file in, a commented experiment file out, with what could be guessed."""

import os
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from pydantic.fields import FieldInfo

from experiments import datasets, network_file
from experiments.data_section import VAL, Data, Shares, suffix_of
from experiments.datasets import files, labels, marks
from experiments.datasets.preparation import features
from experiments.datasets.proposal import propose
from experiments.errors import DataError
from experiments.model_section import ModelSection, OwnModel
from experiments.names import name_from
from experiments.section import Section, plain_keys
from experiments.spec import OF_BUILT_IN, OF_OWN, OF_PROGRAM, Experiment
from experiments.training_section import Training
from experiments.wording import listed, short_repr, toml
from experiments.writing import check_new, write_text

STEPS_PER_EPOCH = 8  # that the batch size leaves at least, so that few rows do not mean few steps
SMALLEST_BATCH = 16
FEWEST_EPOCHS = 20
ROWS_IN_ALL = 300_000  # that a network sees in all its epochs; docs/statistics.md has the evidence
FEWEST_TO_TEST = 30
# With fewer rows, what one division chooses depends on the rows that it happens to validate on.
FOLDED, FOLDS = 2_000, 5


@dataclass(frozen=True, kw_only=True)
class Written:
    """The experiment file that was written, and what was guessed, one sentence each."""

    path: Path
    guesses: tuple[str, ...]


def write(
    data_file: Path,
    target: str | None = None,
    output: Path | None = None,
    model: Path | None = None,
) -> Written:
    """Write an experiment file for the data, by default `<stem of the data>.toml` in the current
    directory. `model` is the Python file of a user's own network.

    Raises DataError if the file or its target cannot be read, InputError if `output` exists
    or cannot be an experiment file, or `model` has no network, DirectoryError if it cannot be
    written. What else keeps the data from being used is a sentence of the guesses.
    """
    output = output or Path(f"{_stem(data_file)}.toml")
    check_new(output, ".toml", "an experiment file", "--output ")
    network, without = network_file.read(model) if model else (ModelSection(), [])
    data = Data(source=str(data_file), target=target)
    table = files.read(data_file, data, guess=True)
    missing = marks.find(table, data.missing)
    keys = {"encoding": table.encoding or data.encoding, "missing": (*data.missing, *missing)}
    everything = table
    table = labels.labelled(table, data.model_copy(update=keys | {"unlabelled": "drop"}))
    keys["unlabelled"] = "error" if table is everything else "drop"
    proposal = propose(table, data.model_copy(update=keys), missing)
    rows, data = len(table.frame), proposal.data
    classes = labels.find_classes(table, data.missing)
    notes = [*table.notes, *labels.notes(table, classes, data.missing)]
    guesses, found = [*proposal.sentences, *notes], []
    largest = np.bincount(labels.class_numbers(table, data.missing, classes)).max()
    if rows < FOLDED and largest >= 2 * FOLDS:
        data = data.model_copy(update={"split": Shares(folds=FOLDS)})
    try:
        dataset = datasets.load(data)  # as `sweeps run` will
        if copies := [leak.what for leak in dataset.leaks if leak.key == "data.duplicates"]:
            data = data.model_copy(update={"duplicates": "drop"})
            found = [f'data.duplicates = "drop", because {copies[0]}']
            dataset = datasets.load(data)
        found += [leak.sentence for leak in dataset.leaks]
    except DataError as error:
        guesses.insert(0, f"it cannot run yet: {error}")
        inputs, training = [], int(rows * (1 - data.split.val - data.split.test))
    else:
        guesses += [note for note in dataset.notes if note not in {*guesses, *found}]
        inputs, training = [_count_inputs(dataset)], len(dataset.split.y_train)
        if dataset.rows["test"] < FEWEST_TO_TEST:
            few = f"only {dataset.rows['test']} rows to test on, of {rows}: hardly any difference"
            guesses.insert(0, f"{few} will show; get more rows")
        guesses[:0] = found
    chosen = suited(training)
    if data.split.folds:
        guesses.append(  # measured on 200 to 1,900 rows, in lockstep; own networks take 5 times
            f"data.split.folds = {FOLDS}, for fewer than {FOLDED:,} rows; trains 4 to 5 times as"
            f" long as val = {VAL:g}"
        )
    guesses.append(
        f"training.batch_size = {chosen.batch_size} and training.epochs = {chosen.epochs}, which"
        f" suit {training} rows to train on"
    )
    name = short_repr(table.target)
    guesses.append(f"{rows} rows, and {len(classes)} classes in {name}: {listed(classes)}")
    guesses += inputs
    if without:
        lacking = f"model.parameters needs a value or a range for {', '.join(without)}"
        guesses.insert(0, f"it cannot run yet: {lacking}")
    if isinstance(network, OwnModel) and network.parameters:
        parameters = toml(network.parameters)
        guesses.append(f"model.parameters = {parameters}; to tune a number, write a range for it")
    write_text(_render(data, proposal.codes, chosen, network, output), output)
    return Written(path=output, guesses=tuple(guesses))


def _stem(data_file: Path) -> str:
    return data_file.name[: len(data_file.name) - len(suffix_of(data_file.name))]


def _count_inputs(dataset: datasets.Dataset) -> str:
    """Return how many inputs result, and which columns make most of them."""
    steps = dataset.preparation.steps
    made = Counter(dict.fromkeys(dataset.preparation.columns, 0))
    for step in steps:
        made[step.column] += len(features(step))
    most = [f"{short_repr(name)} makes {count}" for name, count in made.most_common(3) if count > 2]
    total, columns = made.total(), len(made)
    inputs = f"{total} input{'s' * (total != 1)} from {columns} column{'s' * (columns != 1)}"
    return "; ".join([inputs, *most])


def suited(rows: int) -> Training:
    """Return the training that suits so many rows: the largest batch, a power of two, that leaves
    enough steps per epoch; the default epochs, or for many rows so few that a study ends soon.
    """
    default = Training()
    size = SMALLEST_BATCH
    while 2 * size * STEPS_PER_EPOCH <= rows and size != default.batch_size:
        size *= 2
    epochs = max(FEWEST_EPOCHS, min(default.epochs, int(round(ROWS_IN_ALL / rows, -1))))
    return Training(batch_size=size, epochs=epochs)


def _render(
    data: Data,
    codes: list[str],
    training: Training,
    network: ModelSection | OwnModel,
    output: Path,
) -> str:
    from jinja2 import Environment, StrictUndefined

    if isinstance(network, OwnModel):
        network = network.model_copy(update={"source": _relative(network.source, output)})
    experiment = Experiment(
        name=name_from(_stem(Path(data.source))),
        data=data.model_copy(update={"source": _relative(data.source, output)}),
        training=training,
        model=network,
    )
    # The result is TOML and no HTML: the filter `toml` escapes what TOML needs.
    environment = Environment(undefined=StrictUndefined, keep_trailing_newline=True)
    environment.filters["toml"] = toml
    text = Path(__file__).with_name("template.toml.j2").read_text(encoding="utf-8")
    return environment.from_string(text).render(
        experiment=experiment, codes=codes, file=output.name, keys_of=_keys_in(experiment)
    )


def _relative(path: str, output: Path) -> str:
    return Path(os.path.relpath(Path(path).resolve(), output.parent.resolve())).as_posix()


def _keys_in(experiment: Experiment) -> Callable[[Section], dict[str, FieldInfo]]:
    """Return what gives the keys of a table in this experiment."""
    without = OF_BUILT_IN if experiment.own else OF_OWN

    def keys_of(section: Section) -> dict[str, FieldInfo]:
        gone = {key for table, key in without if getattr(experiment, table) is section}
        gone |= {OF_PROGRAM, *(["val"] if experiment.data.split.folds else [])}
        keys = plain_keys(type(section))
        return {name: field for name, field in keys.items() if name not in gone}

    return keys_of
