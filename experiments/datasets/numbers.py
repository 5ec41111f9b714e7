"""The guess how a column of text writes its numbers, from all its values and the other columns."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, NamedTuple

from experiments.data_section import Data
from experiments.datasets import values
from experiments.datasets.dates import are_dates
from experiments.notation import GROUPS, MINUS, SPACES, Notation
from experiments.wording import short_repr, toml

if TYPE_CHECKING:
    import pandas as pd

CURRENCY = (
    "[$€£¥₹₽₩₺₪]|[A-Z]{1,2}[$]|Rs[.]?|CHF|EUR|USD|GBP|JPY|CNY|INR|CAD|AUD|SEK|NOK|DKK|PLN|BRL"
)
# What may stand behind numbers: several of these in one column are quantities, and no codes.
UNITS = (
    "[%‰]|[mck]?m|km/h|mph|in|ft|yd|mi|[mk]?g|t|lbs?|oz|[mc]?l|m?s|sec|min|h|hrs?|d|(day|week|month"
    "|year|yr)s?|[kKMGT]?B|[kMG]?Hz|k?W|V|m?A|[kMK]|°[CF]|m[23²³]|ft²|PS|hp"
)
NUMBERLIKE = re.compile(
    rf"[(]?[+{MINUS}]?(?P<before>{CURRENCY}|)[{SPACES}]*[+{MINUS}]?"
    rf"(?P<core>[.,]?[0-9]([0-9.,'\u2019{SPACES}]*[0-9])?[.]?)(?P<exponent>([eE][+-]?[0-9]+)?)[{MINUS}]?"
    rf"[{SPACES}]*(?P<behind>([^0-9.,;:()_{SPACES}{MINUS}][^.,;:()_]{{0,11}})?)[)]?"
)
# Numbers of which none is a thousand with a point in it.
DECIMALS = re.compile(r"[+-]?(0|[0-9]{4,}|[0-9]*[.]([0-9]{0,2}|[0-9]{4,})$)[0-9]*[.]?.*|.*[eE].*")
MARKS = {",": {"."}, ";": {","}}  # the decimal mark that a separator speaks for
CANDIDATES = [Notation(group, mark) for group in GROUPS for mark in ".," if group != mark]
LOOKED_AT = 100  # rows in which a column of plain decimals shows itself


@dataclass(frozen=True, kw_only=True)
class Guess:
    """How a column writes its numbers, such as the one `seen`; or the question that is left."""

    notation: Notation | None = None
    seen: str = ""
    question: str = ""


class Column(NamedTuple):
    """The different values of a column, those among them that are whole, and the notations that fit
    all; or several units, each with a value.
    """

    texts: Sequence[str]
    whole: Sequence[str] = ()
    fits: Sequence[Notation] = ()
    units: Mapping[tuple[str, str], str] = {}


def guess(
    frame: "pd.DataFrame", names: Iterable[str], data: Data, separator: str
) -> tuple[dict[str, Guess], set[str]]:
    """Return how columns write their numbers, by name, and the decimal marks of the file.

    Columns that do so plainly, that hold other text or that the keys name are not among them.
    `separator` divides the fields of the file.
    """
    columns, decimals = {}, {","} if data.decimal == "," else set[str]()
    for name in names:
        if frame[name].dtype.kind in "biufcmM" or name in (*data.numbers, *data.categorical):
            continue
        texts = values.different(frame[name].iloc[:LOOKED_AT], data.missing)
        if all(map(values.NUMBER.fullmatch, texts)) and any(map(DECIMALS.fullmatch, texts)):
            decimals |= {"."} & set("".join(texts))
            continue
        texts = values.different(frame[name], data.missing)
        if all(map(str.isdecimal, texts)) or are_dates(texts):
            continue
        if found := notations(texts):
            columns[name] = found
            fitting = {each.decimal for each in found.fits}
            if len(fitting) == 1 and re.search("[.,]", "".join(texts)):
                decimals |= fitting  # the values leave no choice
    guesses = {name: _decide(name, each, decimals, separator) for name, each in columns.items()}
    return {name: each for name, each in guesses.items() if each is not None}, decimals


def is_quantity(unit: tuple[str, str]) -> bool:
    """Whether what stands before and behind a number is a known unit, or nothing."""
    return bool(re.fullmatch(f"({CURRENCY}|{UNITS}|)", unit[0] or unit[1], re.IGNORECASE))


def notations(texts: Sequence[str]) -> Column | None:
    """Return what the different values of a column tell; None if one is not a number."""
    if not all(map(NUMBERLIKE.fullmatch, texts)):
        return None
    parts = [part for part in map(NUMBERLIKE.fullmatch, texts) if part]
    with_unit = [part for part in parts if re.search("[^0.,]", part[0])]  # a zero may have none
    units = {(part["before"], part["behind"]): part[0] for part in with_unit}
    if len(units) > 1:
        # 35b and 20A are codes; 1.5m and 20 A are none.
        codes = all(re.fullmatch(r"[0-9]+[^\W\d_]?", text) for text in units.values())
        quantities = not codes and all(map(is_quantity, units))
        return Column(texts, units=units) if quantities else None
    before, behind = next(iter(units), ("", ""))
    cores = [part["core"] for part in parts]
    scientific = any(part["exponent"] for part in parts)  # which is never written with thousands
    fits = [
        replace(one, before=before, behind=behind)
        for one in CANDIDATES
        if _fits(one, cores) and not (scientific and one.thousands)
    ]
    whole = [part[0] for part in with_unit if part["core"].isdecimal()]
    return Column(texts, whole, fits) if fits else None


def _fits(notation: Notation, cores: Sequence[str]) -> bool:
    """Whether numbers without their unit are all written so, and one of them shows it."""
    shown = GROUPS[notation.thousands] or ("," if notation.decimal == "," else "")
    return any(re.search(shown, core) for core in cores) and all(
        re.match(notation.pattern, core) for core in cores
    )


def _decide(name: str, column: Column, decimals: set[str], separator: str) -> Guess | None:
    """Return the notation that the column has or that the file leaves it, or the question."""
    if column.units:
        question = f"{' and '.join(map(short_repr, column.units.values()))} have different units"
        (before, behind), *more = filter(any, column.units)
        example = toml({name: Notation(before=before, behind=behind).example})
        remedy = "convert them to one" if more else f"if it is one, write numbers = {example}"
        return Guess(question=f"{question}; {remedy}")
    seen = max(column.texts, key=lambda text: (bool(re.search("[.,]", text)), len(text)))
    fits = {fit.decimal: fit for fit in column.fits}
    if len({fit.thousands for fit in column.fits} & {"", ",", "."}) < 2:
        chosen = fits.get("".join(decimals), column.fits[0])
        plain = chosen == Notation() and all(map(values.NUMBER.fullmatch, column.texts))
        return None if plain else Guess(notation=chosen, seen=seen)
    # One mark may divide thousands, or be the decimal mark.
    by_separator = MARKS.get(separator, set())
    known = decimals or by_separator
    fraction = next(fit for fit in column.fits if not fit.thousands)
    thousands = next(fit for fit in column.fits if fit.thousands)
    told = fits.get("".join(known))
    if fraction.decimal == "." and not column.whole:  # as a program writes three decimals
        told = fraction if "," not in known | by_separator else told if decimals == {","} else None
    if told == thousands or (told == fraction and not column.whole):  # 984 is beside no fraction
        return Guess(notation=told, seen=seen) if told != Notation() else None
    beside = f" beside {short_repr(column.whole[0])}" if column.whole else ""
    digits = re.sub("[.,]", "", seen)
    return Guess(
        seen=seen,
        question=f"{short_repr(seen)}{beside} may be {digits}, by numbers ="
        f" {toml({name: thousands.example})}, or {seen.replace(',', '.')}, by"
        f" {toml({name: fraction.example})}",
    )
