"""Kills at random instants, each followed by one more `sweeps run`: nothing is lost, nothing is there twice."""

import os
import subprocess
from pathlib import Path

import pytest

from benchmarks import chaos
from benchmarks.side_by_side import environment

KILLS = 12


@pytest.mark.timeout(900)  # a minute on two quiet cores
def test_a_killed_sweep_loses_nothing_and_makes_nothing_twice(tmp_path: Path) -> None:
    """Every fourth study is on PostgreSQL and an MLflow server."""
    seed = int(os.environ.get("CHAOS_SEED", "0"))
    with chaos.served(tmp_path) as servers:
        counts = chaos.chaos(KILLS, seed, tmp_path, servers, every=4)
    assert counts.failures == []
    assert counts.faults == 0, counts
    assert counts.kills >= KILLS
    assert sum(number for held, number in counts.found.items() if 0 < held < chaos.TRIALS) >= 3, counts.found


def test_the_study_never_holds_a_running_trial(tmp_path: Path) -> None:
    """Looked at while workers train."""
    place = chaos.Place(tmp_path)
    seen: set[int] = set()
    with subprocess.Popen(
        chaos.COMMAND, cwd=tmp_path, env=environment(), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as process:
        while process.poll() is None:
            trials = place.trials
            seen.add(len(trials))
            assert all(trial.state.is_finished() for trial in trials)
    assert process.returncode == 0
    assert len(seen & set(range(1, chaos.TRIALS))) >= 2  # it was looked at in the middle of the search
