"""Kills at random instants, each followed by one more `sweeps run`: nothing is lost, nothing is
there twice.
"""

import os
from pathlib import Path

import pytest

from benchmarks import chaos

# of two studies: one with an MLflow database of its own, one on servers; one of six may come too
# late
KILLS = 5


@pytest.mark.timeout(900)  # half a minute on two quiet cores
def test_a_killed_sweep_loses_nothing_and_makes_nothing_twice(tmp_path: Path) -> None:
    seed = int(os.environ.get("CHAOS_SEED", "0"))
    with chaos.served(tmp_path) as servers:
        counts = chaos.chaos(KILLS, seed, tmp_path, servers, every=2)
    assert counts.failures == []
    assert counts.faults == 0, counts
    assert counts.kills >= KILLS
    assert counts.served >= 1  # of a PostgreSQL and an MLflow server
    assert sum(number for held, number in counts.found.items() if 0 < held < chaos.TRIALS) >= 1, (
        counts.found
    )
    assert len(counts.seen) >= 2, (
        counts.seen
    )  # looked at in the middle of the search: no trial is RUNNING there
