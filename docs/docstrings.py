"""The docstrings as Markdown: lines of `name   meaning` become a list, and aligned formulas stay as
they stand.
"""

import re
from typing import Any

import griffe

ALIGNED = re.compile(r"(\S+(?: \S+)*) {3,}(\S.*)")


class Lists(griffe.Extension):
    """Rewrites each docstring before it is drawn."""

    def on_object(self, *, obj: griffe.Object, **_: Any) -> None:
        if obj.docstring:
            obj.docstring.value = "\n\n".join(
                as_markdown(escaped(part)) for part in obj.docstring.value.split("\n\n")
            )


def escaped(paragraph: str) -> str:
    """A paragraph in which `<study>` is no HTML; between backticks it is none as it stands."""
    parts = paragraph.split("`")
    return "`".join(
        part.replace("<", "&lt;") if number % 2 == 0 else part for number, part in enumerate(parts)
    )


def as_markdown(paragraph: str) -> str:
    """A paragraph whose lines are aligned as a list or as a block; any other as it is."""
    lines = paragraph.splitlines()
    aligned = [ALIGNED.fullmatch(line) for line in lines]
    if not aligned or not aligned[0]:
        return paragraph
    if any("=" in found[1] for found in aligned if found):
        return "\n".join(["```text", *lines, "```"])
    return "\n".join(
        f"- `{found[1]}`: {found[2]}" if found else f"  {line}"
        for found, line in zip(aligned, lines, strict=True)
    )
