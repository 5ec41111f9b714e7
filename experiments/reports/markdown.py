"""The decision card as Markdown, as MLflow shows the note of a run; and text with no markup in it."""

import re

from experiments.card import Card, strength

SPECIAL = re.compile(r"([\\`*_\[\]|#~])")


def as_markdown(card: Card) -> str:
    """The card: what it says, the lambdas as a table, the facts and the cautions as lists."""
    rows = [
        (f"`{line.name}`", strength(line.strength), line.advice, line.tolerance)
        for line in card.lambdas
    ]
    table = ["| lambda | use | | tolerance |", "|---|---|---|---|"]
    table += [f"| {' | '.join((name, *map(plain, cells)))} |" for name, *cells in rows]
    parts = [
        f"**{plain(card.says)}**",
        "\n".join(table),
        _list(card.facts),
        _list([f"Caution: {one}" for one in card.cautions]),
    ]
    return "\n\n".join(filter(None, parts))


def _list(sentences: "tuple[str, ...] | list[str]") -> str:
    return "\n".join(f"- {plain(sentence)}" for sentence in sentences)


def plain(text: str) -> str:
    """Text in which nothing is marked up."""
    return SPECIAL.sub(r"\\\1", text).replace("<", "&lt;")
