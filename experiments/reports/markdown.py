"""Markdown: the decision card, as MLflow shows the note of a run, and tables."""

import re
from collections.abc import Collection
from typing import TYPE_CHECKING

from experiments.card import Card
from experiments.measures import strength

if TYPE_CHECKING:
    import pandas as pd

SPECIAL = re.compile(r"([\\`*_\[\]|#~])")


def as_markdown(card: Card) -> str:
    """The card: what it says, the lambdas as a table, the facts and the cautions as lists."""
    table = ["| lambda | use | | tolerance |", "|---|---|---|---|"]
    for line in card.lambdas:
        cells = map(plain, (strength(line.strength), line.advice, line.tolerance))
        table.append(f"| `{line.name}` | {' | '.join(cells)} |")
    facts = [f"- {plain(fact)}" for fact in card.facts]
    cautions = [f"- Caution: {plain(caution)}" for caution in card.cautions]
    unfair = [plain(card.unfair)] if card.unfair else []
    parts = ([f"**{plain(card.says)}**"], unfair, table, facts, cautions)
    return "\n\n".join("\n".join(part) for part in parts if part)


def table(frame: "pd.DataFrame", right: Collection[str] = ()) -> str:
    """A table of texts, which may hold what Markdown or a table marks up (pandas' own `to_markdown`
    does not escape it); the columns in `right` are aligned there.
    """
    names = list(map(str, frame.columns))
    rows = [names, ["---:" if name in right else "---" for name in names]]
    rows += [list(map(plain, row)) for row in frame.itertuples(index=False, name=None)]
    return "".join(f"| {' | '.join(row)} |\n" for row in rows)


def plain(text: str) -> str:
    """Text in which nothing is marked up."""
    return SPECIAL.sub(r"\\\1", text).replace("<", "&lt;")
