"""Kill sweeps at random instants and run them again: no trial is lost or duplicated."""

import os
from pathlib import Path

import pytest

from benchmarks import chaos

KILLS = 3  # of two studies: one in files, one on servers


@pytest.mark.timeout(900)  # twenty seconds on two quiet cores
def test_a_killed_sweep_loses_nothing_and_makes_nothing_twice(tmp_path: Path) -> None:
    seed = int(os.environ.get("CHAOS_SEED", "0"))
    with chaos.served(tmp_path) as servers:
        counts = chaos.chaos(KILLS, seed, tmp_path, servers, every=2)
    assert counts.failures == []
    assert counts.faults == 0, counts
    assert counts.kills >= KILLS
    assert counts.served >= 1  # of a PostgreSQL and an MLflow server
    in_the_middle = [held for held in counts.found if 0 < held < chaos.TRIALS]
    assert in_the_middle, counts.found
    assert len(counts.seen) >= 2, counts.seen  # looked at in mid-search: no trial is RUNNING there
