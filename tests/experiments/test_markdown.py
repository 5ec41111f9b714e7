"""The decision card as Markdown."""

import re

from experiments.card import Card, LambdaLine, card
from experiments.reports.markdown import as_markdown
from tests.studies import confirmed_study


def test_all_that_the_card_says_is_there_in_order() -> None:
    made = card(confirmed_study(look=2))
    assert made
    text = re.sub(r"\\(.)", r"\1", as_markdown(made))
    lines = [line for one in made.lambdas for line in (f"`{one.name}`", one.tolerance)]
    places = [text.index(part) for part in (made.says, *lines[::2], *made.facts, *made.cautions)]
    assert places == sorted(places)
    assert all(line in text for line in lines)
    assert made.facts
    assert made.cautions


def test_nothing_in_it_is_markup_by_accident() -> None:
    lines = (
        LambdaLine(name="weight_l1", strength=0.5, word="keep", why="a|b", tolerance="*all* <b>"),
        LambdaLine(name="weight_l2", strength=0.0, word=None, why="", tolerance="off"),
    )
    text = as_markdown(
        Card(
            word="same",
            says="weight_l1 and bias_l1",
            lambdas=lines,
            facts=(),
            cautions=("# [x](y)",),
        )
    )
    assert text.splitlines() == [
        "**weight\\_l1 and bias\\_l1**",
        "",
        "| lambda | use | | tolerance |",
        "|---|---|---|---|",
        "| `weight_l1` | 0.5 | keep: a\\|b | \\*all\\* &lt;b> |",
        "| `weight_l2` | off |  | off |",
        "",
        "- Caution: \\# \\[x\\](y)",
    ]
