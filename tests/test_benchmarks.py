"""The benchmarks, each at a tiny size: they run and print their tables, whatever the numbers."""

import re
import subprocess
import sys

import pytest

from benchmarks.command import scripts
from benchmarks.side_by_side import ROOT

ROWS = {
    "cluster": r"4 workers, 0\.1 s per trial +\d+\.\d +\d+% +\d+%",
    "fairness": r"digits \| 1,079 \| \d+\.\d \| \d+\.\d \| [+-]\d+\.\d",
    "folds": r"5 x 5 folds \| \d+\.\d \| \d+\.\d\d \|",
    "growth": r"the last against the first +\d+\.\d+ +<= 3",
    "lanes": r"1 +\d+\.\d+ +\d+\.\d+ +\d+%",
    "networks": r"sklearn +\d+\.\d+ .* 0\.167",
    "overhead": r"the whole against the training alone +\d+\.\d+ +<= 8",
    "own_network": r"as an own network: \w+, [+-]\d+\.\d +\d+\.\d",
    "regret": r"spiral \| 1 \| \d+\.\d \| -?\d\.\d\d ± 0\.00 \|",
    "startup": r"sweeps --help +\d+\.\d+ s +< 0\.[35] s",
    "sweep": r"sweeps run, 2 trials +\d",
    "throughput": r"4, 2 +\d+",
    "verdicts": r"digits \| \w+ \| [+-]\d+\.\d \| \w+ \| [+-]\d+\.\d \| [01] of 1",
    "workers": r"1, in \d+\.\d s +1\.00",
}
"""A row of each script's table; a script without one fails."""


@pytest.mark.parametrize("name", scripts())
def test_a_script_prints_its_table(name: str) -> None:
    command = [sys.executable, "-m", "benchmarks", "--tiny", name]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    assert re.search(ROWS[name], done.stdout), done.stdout
