"""Markdown: the decision card, as MLflow and optuna-dashboard show a note, and tables."""

import re
from collections.abc import Collection, Iterable, Sequence

from experiments.card import Card

LONGEST_NOTE = 5_000  # MLflow takes 8,000 characters in a tag, some databases count bytes
BELOW = "*Written by sweeps. What you write below this line stays.*"
SPECIAL = re.compile(r"([\\`*_\[\]|#~])")


def as_markdown(card: Card) -> str:
    """The card: what it says, lambdas and models as tables, the facts and the cautions as lists."""
    lambdas = table(card.lambda_headings, [one.cells for one in card.lambdas])
    models = table(card.model_headings, [one.cells for one in card.models])
    facts = [f"- {plain(fact)}" for fact in card.facts]
    cautions = [f"- Caution: {plain(caution)}" for caution in card.cautions]
    parts = [f"**{plain(card.says)}**", lambdas, models, "\n".join(facts), "\n".join(cautions)]
    return "\n\n".join(part.rstrip("\n") for part in parts if part)


def merged_note(text: str, there: str) -> str:
    """Return a note: this text, and below it what others wrote in the note that is there.

    If there is no room for both, the note stays as it is.
    """
    own = (there.partition(BELOW)[2] if BELOW in there else there).strip()
    text = text[: LONGEST_NOTE - len(BELOW) - 4]
    note = f"{text}\n\n{BELOW}\n\n{own}".strip()
    return note if len(note) <= LONGEST_NOTE or not own else there


def table(
    headings: Sequence[str], rows: Iterable[Sequence[str]], right: Collection[str] = ()
) -> str:
    """A table of texts, which may hold what Markdown or a table marks up (pandas' own `to_markdown`
    does not escape it); the columns in `right` are aligned there.
    """
    lines = [list(map(plain, headings)), ["---:" if h in right else "---" for h in headings]]
    lines += [list(map(plain, row)) for row in rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def plain(text: str) -> str:
    """Text in which nothing is marked up."""
    return SPECIAL.sub(r"\\\1", text).replace("<", "&lt;")
