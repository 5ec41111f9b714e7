"""The completion: the values that a shell offers at TAB. It has a tenth of a second, so heavy
imports stay out of it.

A value that a shell would want quoted is not offered: shells differ in that, and Typer leaves it to
them. Of what is given here Typer offers what begins as what was typed.
"""

import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import typer

PLAIN = re.compile(r"[\w./+-]+")


def studies(context: typer.Context) -> list[str]:
    """The studies of the directory; none where they are in another storage, which would have to be
    asked.
    """
    given = context.params
    if given.get("storage"):
        return []
    journals = Path(given.get("directory") or ".", "studies").glob("*.journal")
    return _unquoted(path.stem for path in journals)


def experiments(incomplete: str) -> list[str]:
    """The names of the catalog, and the TOML files here or in the folder that was begun."""
    from experiments.catalog import catalog

    folder = Path(incomplete if incomplete.endswith("/") else Path(incomplete).parent)
    files = (path for path in folder.glob("*.toml") if path.name != "pyproject.toml")
    begun = incomplete[: incomplete.rfind("/") + 1]
    return _unquoted([*catalog(), *(f"{begun}{path.name}" for path in files)])


def edits(context: typer.Context) -> list[str]:
    """Every key of the experiment file with its value in the experiment that stands before it, or
    else its default.
    """
    from experiments.spec import flatten

    # Where it is not in its place yet: Typer stops at an option without a value, before it gives
    # arguments their places.
    rows = flatten(_experiment(next(iter(context.args), None)))
    return sorted(f"{key}={_plain(value)}" for key, value in rows)


def _experiment(name: str | None) -> dict[str, Any]:
    from experiments import experiment_file
    from experiments.errors import SweepsError

    for source in filter(None, (name, "digits")):
        try:
            return experiment_file.load(source).model_dump(mode="json")
        except SweepsError:  # it will be said when the command is given
            continue
    return {}


def _plain(value: object) -> str:
    """A value as it may stand in a command, or nothing where it would have to be quoted."""
    return str(value) if value is not None and PLAIN.fullmatch(str(value)) else ""


def _unquoted(words: Iterable[str]) -> list[str]:
    return sorted(word for word in words if PLAIN.fullmatch(word))
