"""The columns: which of them are inputs, what each one holds, and which cannot be used."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from experiments.data_section import Data
from experiments.datasets import dates, marks, numbers, values
from experiments.datasets.files import RawTable, check_columns
from experiments.datasets.numbers import Guess
from experiments.errors import DataError
from experiments.notation import Notation
from experiments.wording import listed, short_repr, toml

MOST_CATEGORIES = 1000
FEW_VALUES = 10  # up to these, a column of text is a category however short the table is
MIXED = 0.9  # with fewer texts that are no numbers, numbers may have been meant
DATES = "holds dates"
NEARLY_EVERY = 0.8  # of the rows have a text of their own: an id, a name or free text


@dataclass(frozen=True)
class ColumnKind:
    """What a column holds: its values as float64 with NaN or as text with None, or why it is
    refused; a note on what a person may not expect, and how its numbers are written where that is
    not plain.
    """

    kind: Literal["number", "category", "refused"]
    values: NDArray[Any] = field(default_factory=lambda: np.empty(0))
    reason: str = ""
    note: str = ""
    notation: Notation | None = None


def inputs(table: RawTable, data: Data) -> list[str]:
    """Return all columns but the target, the group and the dropped."""
    names = list(table.frame.columns)
    group = () if data.split.group is None else (data.split.group,)
    keys = {
        "drop": data.drop,
        "categorical": data.categorical,
        "numbers": tuple(data.numbers),
        "split.group": group,
    }
    for key, given in keys.items():
        check_columns(names, given, f"{table.where}: data.{key}")
        if table.target in given:
            raise DataError(
                f"{table.where}: data.{key} names {short_repr(table.target)}, which is the target;"
                " take it out of one of the two"
            )
    aside = {table.target, *group, *data.drop}
    return [name for name in names if name not in aside]


def judge_all(table: RawTable, data: Data) -> dict[str, ColumnKind]:
    """Return what each input holds; refuse all columns at once that cannot be used."""
    names = inputs(table, data)
    guesses, _ = numbers.guess(table.frame, names, data, table.separator)
    kinds = {name: judge(table, name, data, guesses.get(name)) for name in names}
    refused = [name for name, kind in kinds.items() if kind.kind == "refused"]
    if refused:
        first = [f"column {short_repr(name)} {kinds[name].reason}" for name in refused[:3]]
        if len(refused) > 3:
            first.append(f"{len(refused) - 3} more columns are like these")
        remedy = f"to continue without, write drop = {toml([*data.drop, *refused])} under [data]"
        notations = {name: guesses[name].notation for name in refused if name in guesses}
        readable = {name: each.example for name, each in notations.items() if each}
        found = marks.find(table, data.missing)
        missing = [mark for mark, holders in found.items() if set(holders) & set(refused)]
        if missing:
            all_marks = toml([*data.missing, *missing])
            remedy = f"to read {listed(missing)} as missing, write missing = {all_marks}; {remedy}"
        if readable:
            remedy = f"to read numbers, write numbers = {toml(data.numbers | readable)}; {remedy}"
        raise DataError(f"{table.where}: {'; '.join(first)}; {remedy}")
    return kinds


def judge(table: RawTable, name: str, data: Data, guess: Guess | None = None) -> ColumnKind:
    """Return what the column holds, where `guess` is how it seems to write its numbers."""
    column, question = table.frame[name], guess.question if guess else ""
    leave_out = f"write drop = {toml([*data.drop, name])}"
    if name in data.categorical or column.dtype.kind == "b":
        return _category(values.texts(column, data.missing))
    if column.dtype.kind in "Mm":
        present = column.dropna()
        return _date(str(present.iloc[0]) if len(present) else "none here")
    if column.dtype == object:
        held = {type(value).__name__ for value in column[column.notna()]}
        if strange := held - {"str", "bool", "int", "float"}:
            reason = f"holds values of the type {min(strange)}, neither numbers nor categories"
            return ColumnKind("refused", reason=reason)
    notation = data.notation(name)
    found, bad = values.parse_numbers(column, data.missing, notation)
    reason = values.fault(column, found, bad)
    if not reason:
        if not question and name not in data.numbers and is_id(found):
            question = f"every row has a different whole number; if it is an id, {leave_out}"
        note = f"column {short_repr(name)}: {question}" if question else ""
        return ColumnKind("number", found, note=note, notation=notation)
    if bad is None or name in data.numbers:
        return ColumnKind("refused", reason=f"{reason}: correct it, or add it to data.missing")
    texts = values.different(column, data.missing)
    if dates.are_dates(texts):
        return _date(next(text for text in texts if dates.are_dates([text])))
    if guess is not None:
        note = question or f"{short_repr(guess.seen)} may be a number; see data.numbers"
        if len(texts) > values.FEW_DIFFERENT:
            reason = question or f"holds numbers such as {short_repr(guess.seen)}"
            return ColumnKind("refused", reason=reason)
    elif marks.odd(texts):
        remedy = "correct it, add it to data.missing, or name a column of codes in data.categorical"
        return ColumnKind("refused", reason=f"{reason}: {remedy}")
    else:
        others = [text for text in texts if not values.NUMBER.fullmatch(text)]
        mixed = len(others) < MIXED * len(texts)
        note = f"{short_repr(others[0])} is not a number" if mixed else ""
    if note:
        read = f"column {short_repr(name)} is read as categories, because {note}"
        note = f"{read}; to leave it out, {leave_out}"
    return _category(values.texts(column, data.missing), note)


def _category(texts: NDArray[np.object_], note: str = "") -> ColumnKind:
    """Return a category, or why there are too many different texts for one."""
    import pandas as pd

    codes, uniques = pd.factorize(texts)
    reason = f"has {len(uniques)} different values in {len(texts)} rows"
    if len(uniques) > MOST_CATEGORIES:
        reason += f", and a category may have {MOST_CATEGORIES}"
    elif len(uniques) > max(FEW_VALUES, NEARLY_EVERY * (codes >= 0).sum()):
        reason += ", as ids or free text have"
    else:
        return ColumnKind("category", texts, note=note)
    return ColumnKind("refused", reason=reason)


def _date(example: str) -> ColumnKind:
    return ColumnKind("refused", reason=f"{DATES} or times such as {short_repr(example)}")


def is_id(found: NDArray[np.float64]) -> bool:
    """Whether every row has a different whole number."""
    unique = len(found) > values.FEW_DIFFERENT and len(np.unique(found)) == len(found)
    return unique and bool((found == np.floor(found)).all())


def read_like(
    table: RawTable, data: Data, kinds: Mapping[str, ColumnKind]
) -> dict[str, NDArray[Any]]:
    """Return the values of another file, which has the columns of the source, of the same kinds."""
    remedy = "add it, as data.source has it, or name it in data.drop"
    check_columns(table.frame.columns, kinds, table.where, remedy)
    return {
        name: values.texts(table.frame[name], data.missing)
        if kind.kind == "category"
        else values.numbers(table.frame[name], data.missing, table.where, kind.notation)
        for name, kind in kinds.items()
    }
