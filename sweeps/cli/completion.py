"""The values that a shell offers at TAB, which it would not have to quote. Nothing heavy is
imported for them. Typer keeps those that begin as what was typed.
"""

import re
from collections.abc import Iterable
from pathlib import Path

import typer

PLAIN = re.compile(r"[\w./+-]+")


def studies(context: typer.Context) -> list[str]:
    """The studies of the directory; none with --storage, which would have to be asked."""
    if context.params.get("storage"):
        return []
    folder = Path(context.params.get("directory") or ".", "studies")
    return _plain(path.stem for path in folder.glob("*.journal"))


def experiments(incomplete: str) -> list[str]:
    """The names of the catalog, and the files here or in the folder that was begun."""
    from experiments.catalog import catalog

    begun = incomplete[: incomplete.rfind("/") + 1]
    return _plain([*catalog(), *(begun + name for name in experiment_files(Path(begun)))])


def experiment_files(folder: Path) -> list[str]:
    """The names of the TOML files in a folder, which may be experiments."""
    return sorted(path.name for path in folder.glob("*.toml") if path.name != "pyproject.toml")


def edits(context: typer.Context) -> list[str]:
    """Every key with its value in the experiment of this command line, or in `digits`."""
    from experiments import experiment_file
    from experiments.errors import SweepsError
    from experiments.spec import flatten
    from experiments.wording import toml

    # Not in context.params yet: Typer stops at the option without a value.
    name = next(iter(context.args), "digits")
    try:
        experiment = experiment_file.load(name)
    except SweepsError:  # reported when the command is given
        experiment = experiment_file.load("digits")
    rows = flatten(experiment.model_dump(mode="json"))
    texts = {
        key: "" if value is None else toml(value) if isinstance(value, bool) else str(value)
        for key, value in rows
    }
    return sorted(f"{key}={text if PLAIN.fullmatch(text) else ''}" for key, text in texts.items())


def _plain(words: Iterable[str]) -> list[str]:
    return sorted(word for word in words if PLAIN.fullmatch(word))
