"""The columns: which of them are inputs, what each one holds, and which cannot be used as they
stand.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from experiments.datasets import values
from experiments.datasets.files import Table
from experiments.datasets.wording import hint, listed, row, shown, toml_list
from experiments.errors import DataError
from experiments.spec import Data

MOST_CATEGORIES = 1000
FEW_VALUES = 10  # up to these, a column of text is a category however short the table is
FEW_MIXED = 20  # up to these, numbers mixed with text ("2", "3", "5more") are categories
NEARLY_EVERY = 0.8  # of the rows have a text of their own: an id, a name or free text
CLOCK = r"([T ]\d{1,2}:\d{2}(:\d{2}([.,]\d+)?)?)?\s?(Z|UTC|[+-]\d{2}:?\d{2})?"
DATE = re.compile(
    rf"(\d{{4}}([-/.])\d{{1,2}}\2\d{{1,2}}|\d{{1,2}}([-/.])\d{{1,2}}\3\d{{4}}){CLOCK}", re.ASCII
)
DECIMAL_COMMA = re.compile(r"[+-]?[0-9]*,[0-9]+")

Kind = Literal["number", "category", "refused"]


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """What a column holds; where it is refused, why; and a note on what a person may not expect."""

    kind: Kind
    reason: str = ""
    note: str = ""


def inputs(table: Table, data: Data) -> list[str]:
    """All columns but the target, the group and the dropped. Raises DataError for a name in `data`
    that is no column.
    """
    names = [str(name) for name in table.frame.columns]
    group = [data.split.group] if data.split.group is not None else []
    for key, given in (
        ("drop", data.drop),
        ("categorical", data.categorical),
        ("split.group", group),
    ):
        for name in given:
            if name not in names:
                raise DataError(
                    f"{table.where}: data.{key} names {shown(name)}, which is no column;"
                    f" {hint(name, names)}"
                )
            if name == table.target:
                raise DataError(
                    f"{table.where}: data.{key} names {shown(name)}, which is the target; take it"
                    " out of one of the two"
                )
    aside = {table.target, *group, *data.drop}
    return [name for name in names if name not in aside]


def judge_all(table: Table, data: Data) -> dict[str, Verdict]:
    """What each input holds. Raises DataError where columns cannot be used, naming all of these at
    once.
    """
    verdicts = {name: judge(table, name, data) for name in inputs(table, data)}
    refused = [name for name, verdict in verdicts.items() if verdict.kind == "refused"]
    if refused:
        raise DataError(f"{table.where}: {_refusal(refused, verdicts, data)}")
    return verdicts


def _refusal(refused: Sequence[str], verdicts: Mapping[str, Verdict], data: Data) -> str:
    first = "; ".join(f"column {shown(name)} {verdicts[name].reason}" for name in refused[:3])
    more = f"; {len(refused) - 3} more columns are like these" if len(refused) > 3 else ""
    return (
        f"{first}{more}; to go on without, write drop = {toml_list([*data.drop, *refused])} under"
        " [data]"
    )


def judge(table: Table, name: str, data: Data) -> Verdict:
    """What the column holds. Raises DataError where single values in it must be corrected first."""
    column = table.frame[name]
    coded = name in data.categorical
    kind = column.dtype.kind
    if kind in "Mm" and not coded:
        example = shown(str(column.dropna().iloc[0])) if column.notna().any() else "none here"
        return Verdict(kind="refused", reason=_date(example))
    if column.dtype == object and not coded:
        held = {type(value).__name__ for value in column[column.notna()]}
        if held - {"str", "bool", "int", "float"}:
            return Verdict(
                kind="refused",
                reason=(
                    f"holds values of the type {min(held)}, which are neither numbers nor"
                    " categories"
                ),
            )
    if kind not in "b" and not coded:
        numbers, bad = values.parse_numbers(column, data.missing)
        if bad is None:
            values.numbers(column, data.missing, table.where)
            return Verdict(kind="number", note=_id_note(name, numbers))
    return _judge_text(table, name, data, coded)


def _judge_text(table: Table, name: str, data: Data, coded: bool) -> Verdict:
    import pandas as pd

    column = table.frame[name]
    codes, uniques = pd.factorize(values.texts(column, data.missing))
    present = int((codes >= 0).sum())
    counts = np.bincount(codes[codes >= 0], minlength=len(uniques))
    are_numbers = np.array([bool(values.NUMBER.fullmatch(text)) for text in uniques], dtype=bool)
    note = ""
    if not coded:
        if len(uniques) and all(DATE.fullmatch(text) for text in uniques):
            return Verdict(kind="refused", reason=_date(shown(uniques[0])))
        _check_commas(table, name, uniques, are_numbers, codes)
        numeric = int(counts[are_numbers].sum())
        if 0 < numeric < present and 2 * numeric > present:
            odd = int(np.flatnonzero(~are_numbers)[0])
            if len(uniques) > FEW_MIXED:
                index = int((codes == odd).argmax())
                values.numbers(
                    column, data.missing, table.where
                )  # raises, naming the value as it stands
                raise DataError(
                    f"{table.where}: column {shown(name)} holds {shown(uniques[odd])} in"
                    f" {row(index)}; correct it"
                )
            note = (
                f"column {shown(name)} is read as categories, because {shown(uniques[odd])} is no"
                " number"
            )
    reason = ""
    if len(uniques) > MOST_CATEGORIES:
        reason = (
            f"has {len(uniques)} different values in {len(column)} rows, and a category may have"
            f" {MOST_CATEGORIES}"
        )
    elif len(uniques) > max(FEW_VALUES, NEARLY_EVERY * present):
        reason = (
            f"has {len(uniques)} different values in {len(column)} rows (such as"
            f" {shown(uniques[0])}), as an id or free text has"
        )
    return Verdict(kind="refused", reason=reason) if reason else Verdict(kind="category", note=note)


def _check_commas(
    table: Table, name: str, uniques: Any, are_numbers: NDArray[np.bool_], codes: NDArray[np.int64]
) -> None:
    """Raise DataError where the column holds nothing but numbers, and some have a decimal comma."""
    commas = np.array([bool(DECIMAL_COMMA.fullmatch(text)) for text in uniques], dtype=bool)
    if commas.any() and (commas | are_numbers).all():
        value = int(commas.argmax())
        place = row(int((codes == value).argmax()))
        raise DataError(
            f"{table.where}: column {shown(name)} holds {shown(uniques[value])} in {place}; numbers"
            " have a decimal point, not a comma: save the file with points, or name the column in"
            " data.categorical"
        )


def _date(example: str) -> str:
    return (
        f"holds dates or times (such as {example}), which are no inputs; write what matters in"
        " them, such as an age, as numbers"
    )


def _id_note(name: str, numbers: NDArray[np.float64]) -> str:
    """A note where a column of whole numbers never repeats: it may be an id, from which a network
    learns nothing that lasts.
    """
    if len(numbers) <= FEW_MIXED or np.isnan(numbers).any() or (numbers != np.floor(numbers)).any():
        return ""
    if len(np.unique(numbers)) < len(numbers):
        return ""
    return (
        f"column {shown(name)} is a different whole number in every row; if it is an id, write drop"
        f" = {toml_list([name])}"
    )


def check_like(table: Table, data: Data, verdicts: Mapping[str, Verdict]) -> None:
    """Raise DataError where another file lacks a column of the source, or holds text where the
    source has numbers.
    """
    names = [str(name) for name in table.frame.columns]
    lacking = [name for name in verdicts if name not in names]
    if lacking:
        raise DataError(
            f"{table.where}: there is no column {listed(lacking)}, which data.source has;"
            f" {hint(lacking[0], names)}: add it, or write drop ="
            f" {toml_list([*data.drop, *lacking])} under [data]"
        )
    for name, verdict in verdicts.items():
        if verdict.kind == "number":
            values.numbers(table.frame[name], data.missing, table.where)
