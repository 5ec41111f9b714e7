"""The decision card as Markdown."""

import re

from experiments.card import Card, LambdaLine, card
from experiments.reports.markdown import as_markdown
from tests.studies import confirmed_study


def test_all_that_the_card_says_is_there_in_order() -> None:
    made = card(confirmed_study(look=2))
    assert made
    assert made.unfair
    assert made.facts
    assert made.cautions
    text = re.sub(r"\\(.)", r"\1", as_markdown(made))
    cells = [cell for line in made.lambdas for cell in (f"`{line.name}`", line.tolerance)]
    parts = [made.says, made.unfair, *cells, *made.facts, *made.cautions]
    assert [part for part in parts if part not in text] == []
    places = [
        text.index(part)
        for part in (made.says, made.unfair, *cells[::2], *made.facts, *made.cautions)
    ]
    assert places == sorted(places)


def test_nothing_in_it_is_markup_by_accident() -> None:
    line = LambdaLine("weight_l1", 0.5, word="keep", why="a|b", tolerance="*all* <b>")
    made = Card(says="weight_l1", unfair="<", lambdas=(line,), facts=(), cautions=("# [x](y)",))
    assert as_markdown(made).splitlines() == [
        "**weight\\_l1**",
        "",
        "&lt;",
        "",
        "| lambda | use | | tolerance |",
        "|---|---|---|---|",
        "| `weight_l1` | 0.5 | keep: a\\|b | \\*all\\* &lt;b> |",
        "",
        "- Caution: \\# \\[x\\](y)",
    ]
