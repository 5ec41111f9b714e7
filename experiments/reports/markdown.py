"""The decision card as Markdown, as MLflow shows the note of a run."""

import re

from experiments.card import Card
from experiments.measures import strength

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


def plain(text: str) -> str:
    """Text in which nothing is marked up."""
    return SPECIAL.sub(r"\\\1", text).replace("<", "&lt;")
