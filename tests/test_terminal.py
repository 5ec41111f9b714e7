"""Colours and movement: only for a terminal that has them, and for nobody who asked for none."""

import os
import re
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path

from tests.terminals import terminal

FINDING = """
from sweeps.checkup.agreement import Finding
from sweeps.cli.output import print_finding
from sweeps.progress import for_terminal
print_finding(Finding("fine", "sweeps 1.0"))
print(type(for_terminal()).__name__)
"""
LOG = """
from logging import getLogger
from sweeps.cli.options import listen
from sweeps.progress import for_terminal
listen(1)
with for_terminal():
    getLogger("sweeps.somewhere").info("[bold]trial 3[/] of %d", 9)
    getLogger("sweeps.somewhere").debug("too much")
"""
BAR = """
from sweeps.progress import Bar
from tests.studies import make_study, make_trial
with Bar() as bar:
    bar.begin(make_study(1), 1000, behind=lambda: 64)
    bar.add(make_trial(1))
    bar.confirming(20, 240)
"""
DECIDING = {"NO_COLOR", "FORCE_COLOR", "TTY_COMPATIBLE", "COLORTERM", "GITHUB_ACTIONS", "TERM"}
PLAIN = {name: value for name, value in os.environ.items() if name not in DECIDING | {"PY_COLORS"}}
COLOURS = {"TERM": "xterm-256color"}
GREEN = "\x1b[32mok\x1b[0m sweeps 1.0"


def test_colours_for_a_terminal_alone(tmp_path: Path) -> None:
    command = [sys.executable, "-c", FINDING]
    with ExitStack() as stack:  # all at once: each imports for a second
        coloured, without, dumb = (
            stack.enter_context(terminal(command, cwd=tmp_path, environ=PLAIN | more))
            for more in (COLOURS, COLOURS | {"NO_COLOR": "1"}, {"TERM": "dumb"})
        )
        piped, forced = (
            stack.enter_context(subprocess.Popen(command, env=PLAIN | more, stdout=-1, text=True))
            for more in (COLOURS, {"FORCE_COLOR": "1"})
        )
        assert GREEN in coloured.end()
        assert without.end().split("\r\n") == ["ok sweeps 1.0", "Bar", ""]
        assert dumb.end().split("\r\n") == ["ok sweeps 1.0", "Lines", ""]  # no cursor that moves
        assert piped.communicate()[0].splitlines()[0] == "ok sweeps 1.0"
        assert GREEN in forced.communicate()[0]


def test_what_is_logged_stands_above_a_bar_where_the_cursor_moves(tmp_path: Path) -> None:
    command = [sys.executable, "-c", LOG]
    with terminal(command, cwd=tmp_path, environ=PLAIN | {"TERM": "xterm"}) as python:
        lines = [line.rpartition("\x1b[2K")[2] for line in python.end().split("\r\n")]
    message = r"\d\d:\d\d:\d\d INFO    sweeps.somewhere: \[bold]trial 3\[/] of 9"
    assert any(re.fullmatch(message, line) for line in lines), lines
    assert "too much" not in python.shown


def test_the_bar_keeps_itself_count_and_time_at_80_columns(tmp_path: Path) -> None:
    root = {"PYTHONPATH": str(Path(__file__).parents[1])}
    with terminal([sys.executable, "-c", BAR], cwd=tmp_path, environ=PLAIN | COLOURS | root) as bar:
        shown = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", bar.end())
    assert re.search(r"digits +[━╸╺]{20} +2/1000 \d:\d\d:\d\d left best \d", shown), shown
    assert re.search(r"confirming +[━╸╺]{20} +20/240 ", shown), shown
