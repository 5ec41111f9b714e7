"""The benchmarks, each at a tiny size: they run, and print their tables. Their numbers are nobody's
business here.
"""

import re
import subprocess
import sys

import pytest

from benchmarks.command import scripts
from benchmarks.side_by_side import ROOT

TABLES = {
    "cluster": (
        r"what a trial costs, 16 behind it +ms",
        r"4 workers, 0\.1 s a trial +\d+\.\d +\d+% +\d+%",
    ),
    "growth": (r"tpe, 40 trials +measured +goal", r"the last against the first +\d+\.\d+ +<= 3"),
    "lanes": (r"lanes +ms a trial", r"1 +\d+\.\d+ +\d+\.\d+ +\d+%"),
    "networks": (r"against +ms a trial +ratio", r"sklearn +\d+\.\d+ .* 0\.167"),
    "overhead": (
        r"digits, 8 trials, 4 workers +seconds +goal",
        r"the whole against the training alone +\d+\.\d+ +<= 8",
    ),
    "startup": (r"command +median +goal", r"sweeps --help +\d+\.\d+ s +< 0\.5 s"),
    "sweep": (r"sweep +ms a trial +goal", r"sweeps run, 2 trials +\d"),
    "throughput": (r"workers, lanes +trials/s", r"4, 2 +\d+"),
    "workers": (r"workers +times faster +goal", r"1, in \d+\.\d s +1\.00"),
}
"""The head and a row of each script's table; a script without them fails."""


@pytest.mark.parametrize("name", scripts())
def test_a_script_prints_its_table(name: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks", "--tiny", name],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    lines = done.stdout.splitlines()
    assert lines[1].endswith("?")
    for line in TABLES[name]:
        assert any(re.search(line, printed) for printed in lines), done.stdout


def test_a_script_that_is_not_there_is_refused() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks", "nothing"], cwd=ROOT, capture_output=True, text=True
    )
    assert done.returncode == 2
    assert "there is no nothing; known are cluster, growth, lanes" in done.stderr
