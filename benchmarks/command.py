"""The command: what the scripts share. Their options, their children, their tables."""

import argparse
import ast
import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import ParamSpec, TypeVar

from benchmarks.side_by_side import environment, machine

P = ParamSpec("P")
R = TypeVar("R")

SWEEPS = str(Path(sys.executable).with_name("sweeps"))
"""The command as a user has it."""

SECOND = ("model.hidden=[256, 128]", "training.batch_size=32", "training.epochs=170")
"""The edits of the experiment `digits` that make a trial train for about a second on one core."""


def begin(doc: str | None, **options: tuple[int | str, str]) -> argparse.Namespace:
    """A script's options, `--tiny` and numbers or texts as `name=(default, help)`; prints the
    machine.

    From here on this process's environment is the cleaned one, which its children inherit.
    """
    parser = argparse.ArgumentParser(description=(doc or "").partition("\n")[0])
    parser.add_argument(
        "--tiny",
        action="store_true",
        help="a few seconds, to see that it runs; the numbers mean nothing",
    )
    for name, (default, meaning) in options.items():
        kind, shown = type(default), f" ({default})" if default != "" else ""
        parser.add_argument(
            f"--{name}",
            type=kind,
            default=default,
            metavar="N" if kind is int else "TEXT",
            help=f"{meaning}{shown}",
        )
    chosen = parser.parse_args()
    cleaned = environment()
    os.environ.clear()
    os.environ.update(cleaned)
    print(machine(), flush=True)
    return chosen


def in_child(function: Callable[P, R], *arguments: P.args, **named: P.kwargs) -> R:
    """The call made by a fresh process: with its own imports, its own memory, and the cleaned
    environment from the start.
    """
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        return pool.submit(function, *arguments, **named).result()


def run(command: Sequence[str], folder: Path) -> None:
    """Run a command in a folder; where it fails, end with its own words."""
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"{' '.join(command)} ended with status {done.returncode}:\n{done.stderr}")


def head(title: str, measured: str = "measured", goal: str = "goal") -> None:
    """A table's first line."""
    print(f"\n{title:56s} {measured:>12s} {goal:>12s}", flush=True)


def row(what: str, measured: str, goal: str = "") -> None:
    """A measure, and the goal beside it where it has one."""
    print(f"  {what:54s} {measured:>12s} {goal:>12s}".rstrip(), flush=True)


def scripts() -> dict[str, str]:
    """The question of each script, by module name: the modules whose first line is a question."""
    found = {}
    for path in sorted(Path(__file__).parent.glob("*.py")):
        question = (ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or "").partition(
            "\n"
        )[0]
        if question.endswith("?"):
            found[path.stem] = question
    return found
