"""The proposal: keys of [data] with which the columns of a table can be used, and why."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from experiments.data_section import Data
from experiments.datasets import columns, dates, identifiers, marks, numbers
from experiments.datasets.files import RawTable
from experiments.notation import Notation
from experiments.wording import listed, short_repr, toml

CODES = range(3, 21)  # how many different whole numbers look like codes
MOST_LINES = 10  # of one sort


@dataclass(kw_only=True)
class Proposal:
    """The keys, and a sentence for each thing that is to be decided, left out or read otherwise;
    `codes` are columns of few different whole numbers, `ids` those left out that could be inputs,
    `dates` those left out that say when.
    """

    data: Data
    decide: list[str] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)
    read: list[str] = field(default_factory=list)
    codes: list[str] = field(default_factory=list)
    ids: list[str] = field(default_factory=list)
    dates: list[str] = field(default_factory=list)

    @property
    def sentences(self) -> list[str]:
        """The sentences, those to decide first; of very many of a sort the first."""
        return [*_first(self.decide), *_first(self.left_out), *_first(self.read)]


def _first(sentences: Sequence[str]) -> list[str]:
    more = len(sentences) - MOST_LINES
    return [*sentences[:MOST_LINES], *([f"and {more} more like these"] if more > 0 else [])]


def propose(table: RawTable, data: Data, found: Mapping[str, Sequence[str]]) -> Proposal:
    """Return what makes the columns usable; of what is a question, the column is left out.

    `found` are marks of missing values that data.missing has, each with the columns that hold it.
    """
    frame, names = table.frame, columns.inputs(table, data)
    guesses, decimals = numbers.guess(frame, names, data, table.separator)
    written = {name: each.notation for name, each in guesses.items() if each.notation}
    commas = [name for name, each in written.items() if each == Notation(decimal=",")]
    by_file = bool(commas) and decimals == {","}
    examples = {
        name: each.example for name, each in written.items() if not (by_file and name in commas)
    }
    keys = {"decimal": "," if by_file else data.decimal, "numbers": data.numbers | examples}
    proposal = Proposal(data=data.model_copy(update=keys))
    dropped = [name for name in names if _leave_out(table, name, proposal, guesses.get(name))]
    proposal.data = proposal.data.model_copy(update={"drop": (*data.drop, *dropped)})
    if proposal.ids:
        keep = f"to keep {listed(proposal.ids)}, take it out of data.drop"
        proposal.left_out.append(f"{keep}; name codes in data.categorical")
    if proposal.dates:
        proposal.left_out.append(
            f"to predict later rows from earlier ones, sort them by {listed(proposal.dates)} and"
            ' write split.order = "time"'
        )
    if by_file:
        read = _as_read(guesses[commas[0]])
        proposal.read.append(f'data.decimal = "," reads {read} in {listed(commas)}')
    for name, example in examples.items():
        key = toml({name: example})
        proposal.read.append(f"data.numbers = {key} reads {_as_read(guesses[name])}")
    if found:
        where = list(dict.fromkeys(name for holders in found.values() for name in holders))
        proposal.read.append(f"data.missing has {listed(list(found))}, found in {listed(where)}")
    if proposal.codes:
        few = f"few different whole numbers in {listed(proposal.codes)}"
        proposal.read.append(f"{few}: if codes, name them in data.categorical")
    return proposal


def _as_read(guess: numbers.Guess) -> str:
    import pyarrow as pa

    assert guess.notation is not None
    return f"{short_repr(guess.seen)} as {guess.notation.plain(pa.array([guess.seen]))[0]}"


def _leave_out(table: RawTable, name: str, proposal: Proposal, guess: numbers.Guess | None) -> bool:
    """Return whether a column is better left out, and say why in the proposal."""
    data, column, shown = proposal.data, table.frame[name], short_repr(name)
    if guess is not None and guess.question:
        question = f"decide on {shown}: {guess.question}"
        proposal.decide.append(f"{question}; data.drop has it until you take it out")
        return True
    kind, reason = columns.judge(table, name, data), ""
    if kind.kind == "refused":
        reason = kind.reason
    elif data.suffix == ".npz":
        return False
    elif kind.kind == "number":
        different = np.unique(kind.values[~np.isnan(kind.values)])
        if dates.are_days(different):
            reason = f"{columns.DATES} such as {different[0]:.0f}"
        else:
            reason = identifiers.of_numbers(name, kind.values)
        if not reason and len(different) in CODES and (different == np.floor(different)).all():
            proposal.codes.append(name)
    else:
        texts = [text for text in dict.fromkeys(kind.values) if text is not None]
        reason = identifiers.of_texts(name, texts, len(column))
        if "NA" in data.missing and marks.is_region(texts) and (column == "NA").any():
            proposal.decide.append(
                f"decide on {shown}: 'NA' beside {short_repr(texts[0])} means missing; if it is a"
                ' code, take "NA" out of data.missing'
            )
    if reason:
        proposal.dates += [name] * reason.startswith(columns.DATES)
        proposal.ids += [name] * (kind.kind != "refused")
        proposal.left_out.append(f"data.drop: {shown} {reason}")
    return bool(reason)
