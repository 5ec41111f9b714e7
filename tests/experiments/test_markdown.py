"""The decision card as Markdown."""

import re

from experiments.card import Card, LambdaLine, card
from experiments.reports.markdown import as_markdown
from tests.studies import confirmed_study


def test_all_that_the_card_says_is_there_in_order() -> None:
    made = card(confirmed_study(look=2))
    assert made
    assert made.facts
    assert made.cautions
    text = re.sub(r"\\(.)", r"\1", as_markdown(made))
    rows = [made.lambda_headings, *(line.cells for line in made.lambdas)]
    rows += [made.model_headings, *(line.cells for line in made.models)]
    parts = [made.says, *(f"| {' | '.join(row)} |" for row in rows), *made.facts, *made.cautions]
    assert [part for part in parts if part not in text] == []
    places = [text.index(part) for part in parts]
    assert places == sorted(places)


def test_nothing_in_it_is_markup_by_accident() -> None:
    line = LambdaLine("weight_l1", 0.5, word="keep", why="a|b", range="*all* <b>")
    made = Card(
        word="better",
        title="weight_l1",
        says="weight_l1",
        lambda_headings=("lambda", "setting", "<", "range"),
        lambdas=(line,),
        model_headings=("model",),
        models=(),
        facts=(),
        cautions=("# [x](y)",),
    )
    assert as_markdown(made).splitlines() == [
        "**weight\\_l1**",
        "",
        "| lambda | setting | &lt; | range |",
        "| --- | --- | --- | --- |",
        "| weight\\_l1 | keep 0.5 | a\\|b | \\*all\\* &lt;b> |",
        "",
        "| model |",
        "| --- |",
        "",
        "- Caution: \\# \\[x\\](y)",
    ]
