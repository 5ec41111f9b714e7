"""Colours and movement: only for a terminal that has them, and for nobody who asked for none."""

import os
import re
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.terminals import terminal

SWEEPS = str(Path(sys.executable).with_name("sweeps"))
DECIDING = (
    "NO_COLOR",
    "FORCE_COLOR",
    "TTY_COMPATIBLE",
    "COLORTERM",
    "GITHUB_ACTIONS",
    "PY_COLORS",
    "TERM",
)
PLAIN = {name: value for name, value in os.environ.items() if name not in DECIDING}
GREEN, ESCAPE = "\x1b[32m", "\x1b"


def test_colours_for_a_terminal_alone(tmp_path: Path) -> None:
    colours = {"TERM": "xterm-256color"}
    with ExitStack() as stack:  # all at once: each imports for a second
        in_colour, without, dumb = (
            stack.enter_context(terminal([SWEEPS, "doctor"], cwd=tmp_path, environ=PLAIN | more))
            for more in (colours, colours | {"NO_COLOR": "1"}, {"TERM": "dumb"})
        )
        piped, forced, told = (
            stack.enter_context(
                subprocess.Popen(
                    [SWEEPS, "doctor", *more],
                    cwd=tmp_path,
                    env=PLAIN | environ,
                    stdout=-1,
                    stderr=-2,
                    text=True,
                )
            )
            for more, environ in (
                ((), colours),
                ((), {"FORCE_COLOR": "1"}),
                (("--json",), {"FORCE_COLOR": "1"}),
            )
        )
        assert f"{GREEN}ok" in in_colour.end()
        assert "ok sweeps" in without.end()
        assert ESCAPE not in without.shown
        assert "ok sweeps" in dumb.end()
        assert ESCAPE not in dumb.shown
        assert ESCAPE not in piped.communicate()[0]
        assert f"{GREEN}ok" in forced.communicate()[0]
        assert ESCAPE not in told.communicate()[0]


@pytest.mark.parametrize(("term", "kind"), [("xterm", "Bar"), ("dumb", "Lines")])
def test_a_bar_only_where_the_cursor_moves(term: str, kind: str, tmp_path: Path) -> None:
    program = "from sweeps.progress import for_terminal; print(type(for_terminal()).__name__)"
    with terminal(
        [sys.executable, "-c", program], cwd=tmp_path, environ=PLAIN | {"TERM": term}
    ) as python:
        assert python.end().strip() == kind


def test_what_is_told_stands_above_the_bar(tmp_path: Path) -> None:
    program = """
from logging import getLogger
from sweeps.cli.log import listen
from sweeps.progress import Bar
listen(1)
with Bar():
    getLogger("sweeps.somewhere").info("[bold]trial 3[/] of %d", 9)
    getLogger("sweeps.somewhere").debug("too much")
"""
    with terminal(
        [sys.executable, "-c", program], cwd=tmp_path, environ=PLAIN | {"TERM": "xterm"}
    ) as python:
        lines = [line.rpartition("\x1b[2K")[2] for line in python.end().split("\r\n")]
    assert any(
        re.fullmatch(r"\d\d:\d\d:\d\d INFO    sweeps.somewhere: \[bold]trial 3\[/] of 9", line)
        for line in lines
    ), lines
    assert "too much" not in python.shown
