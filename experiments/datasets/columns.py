"""The columns: which of them are inputs, what each one holds, and which cannot be used."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from experiments.data_section import Data
from experiments.datasets import values
from experiments.datasets.files import RawTable, check_columns
from experiments.errors import DataError
from experiments.notation import Notation
from experiments.wording import row_number, short_repr, toml

MOST_CATEGORIES = 1000
FEW_VALUES = 10  # up to these, a column of text is a category however short the table is
FEW_MIXED = 20  # up to these, numbers mixed with text ("2", "3", "5more") are categories
NEARLY_EVERY = 0.8  # of the rows have a text of their own: an id, a name or free text
CLOCK = r"([T ]\d{1,2}:\d{2}(:\d{2}([.,]\d+)?)?)?\s?(Z|UTC|[+-]\d{2}:?\d{2})?"
DATE = re.compile(
    rf"(\d{{4}}([-/.])\d{{1,2}}\2\d{{1,2}}|\d{{1,2}}([-/.])\d{{1,2}}\3\d{{4}}){CLOCK}", re.ASCII
)
DECIMAL_COMMA = re.compile(r"[+-]?[0-9]*,[0-9]+")


@dataclass(frozen=True)
class ColumnKind:
    """What a column holds, why it is refused, a note on what a person may not expect, and how its
    numbers are written where that is not plain.
    """

    kind: Literal["number", "category", "refused"]
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
    kinds = {name: judge(table, name, data) for name in inputs(table, data)}
    refused = [name for name, kind in kinds.items() if kind.kind == "refused"]
    if refused:
        first = [f"column {short_repr(name)} {kinds[name].reason}" for name in refused[:3]]
        if len(refused) > 3:
            first.append(f"{len(refused) - 3} more columns are like these")
        remedy = f"to go on without, write drop = {toml([*data.drop, *refused])} under [data]"
        raise DataError(f"{table.where}: {'; '.join(first)}; {remedy}")
    return kinds


def judge(table: RawTable, name: str, data: Data) -> ColumnKind:
    """Return what the column holds; values in it that must be corrected are an error."""
    column = table.frame[name]
    if name in data.categorical or column.dtype.kind == "b":
        return _category(values.texts(column, data.missing))
    if column.dtype.kind in "Mm":
        present = column.dropna()
        return _date(str(present.iloc[0]) if len(present) else "none here")
    if column.dtype == object:
        held = {type(value).__name__ for value in column[column.notna()]}
        if strange := held - {"str", "bool", "int", "float"}:
            reason = f"holds values of the type {min(strange)}, neither numbers nor categories"
            return ColumnKind("refused", reason)
    notation = data.notation(name)
    numbers, bad = values.parse_numbers(column, data.missing, notation)
    if bad is None:
        values.numbers(column, data.missing, table.where, notation)  # raises where one is too large
        return ColumnKind("number", note=_id_note(name, numbers), notation=notation)
    return _judge_text(table, name, data)


def _judge_text(table: RawTable, name: str, data: Data) -> ColumnKind:
    import pandas as pd

    texts = values.texts(table.frame[name], data.missing)
    codes, uniques = pd.factorize(texts)
    if len(uniques) == 0:
        return _category(texts)
    if all(DATE.fullmatch(text) for text in uniques):
        return _date(uniques[0])
    column = f"column {short_repr(name)}"
    are_numbers = np.array([bool(values.NUMBER.fullmatch(text)) for text in uniques])
    commas = [text for text in uniques if DECIMAL_COMMA.fullmatch(text)]
    if commas and len(commas) + are_numbers.sum() == len(uniques):
        raise DataError(
            f"{table.where}: {column} holds {short_repr(commas[0])} in"
            f" {row_number(int((texts == commas[0]).argmax()))}; numbers have a decimal point, not"
            " a comma: save the file with points, or name the column in data.categorical"
        )
    share = are_numbers[codes[codes >= 0]].mean()  # of the rows with a value
    if not 0.5 < share < 1:
        return _category(texts)
    if len(uniques) > FEW_MIXED:
        values.numbers(table.frame[name], data.missing, table.where)  # raises, naming the value
    odd = short_repr(uniques[int(are_numbers.argmin())])
    return _category(texts, f"{column} is read as categories, because {odd} is no number")


def _category(texts: NDArray[np.object_], note: str = "") -> ColumnKind:
    """Return a category, or why there are too many different texts for one."""
    import pandas as pd

    codes, uniques = pd.factorize(texts)
    reason = f"has {len(uniques)} different values in {len(texts)} rows"
    if len(uniques) > MOST_CATEGORIES:
        reason += f", and a category may have {MOST_CATEGORIES}"
    elif len(uniques) > max(FEW_VALUES, NEARLY_EVERY * (codes >= 0).sum()):
        reason += f" (such as {short_repr(uniques[0])}), as an id or free text has"
    else:
        return ColumnKind("category", note=note)
    return ColumnKind("refused", reason)


def _date(example: str) -> ColumnKind:
    what = f"holds dates or times (such as {short_repr(example)}), which are no inputs"
    return ColumnKind("refused", f"{what}; write what matters in them, such as an age, as numbers")


def _id_note(name: str, numbers: NDArray[np.float64]) -> str:
    repeats = len(np.unique(numbers)) < len(numbers)
    if len(numbers) <= FEW_MIXED or repeats or not (numbers == np.floor(numbers)).all():
        return ""
    what = f"column {short_repr(name)} is a different whole number in every row"
    return f"{what}; if it is an id, write drop = {toml([name])}"


def check_like(table: RawTable, data: Data, kinds: Mapping[str, ColumnKind]) -> None:
    """Check that another file has the columns of the source, and numbers where it has them."""
    remedy = "add it, as data.source has it, or name it in data.drop"
    check_columns(table.frame.columns, kinds, table.where, remedy)
    for name, kind in kinds.items():
        if kind.kind == "number":
            values.numbers(table.frame[name], data.missing, table.where, kind.notation)
