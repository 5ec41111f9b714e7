"""One driver per study: real processes that are killed, stopped and started at once, on a journal,
SQLite and PostgreSQL.
"""

import contextlib
import os
import re
import signal
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pytest

from experiments import experiment_file
from experiments.errors import InputError, LockError, StudyError
from sweeps.checkup.doctor import examine
from sweeps.checkup.status import statuses
from sweeps.cli import output
from sweeps.storage.storage import study_lock
from sweeps.workspace import Workspace, workspace
from tests.commands import sweeps
from tests.postgres import Postgres

DRIVER = textwrap.dedent("""
    import sys
    from experiments import experiment_file
    from experiments.errors import LockError
    from sweeps.workspace import workspace
    definition = experiment_file.load("iris")
    for line in sys.stdin:
        directory, storage, study = line.rstrip("\\n").split("|")
        place = workspace(directory, storage or None)
        print("ready", flush=True)
        sys.stdin.readline()
        opened = None
        try:
            opened = place.open(study, definition) if study else place.studies()
            print("mine", flush=True)
        except LockError as error:
            print(error, flush=True)
        sys.stdin.readline()
        if opened and study:
            opened.close()
        print("closed", flush=True)
""")
Driver = subprocess.Popen[str]


@pytest.fixture(params=["journal", "sqlite", "postgresql"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Workspace:
    if request.param == "postgresql":
        return workspace(tmp_path, request.getfixturevalue("postgres").url)
    return workspace(tmp_path, f"sqlite:///{tmp_path}/s.db" if request.param == "sqlite" else None)


@pytest.fixture
def name(request: pytest.FixtureRequest) -> str:
    return str(request.function.__name__)[:60]


@contextlib.contextmanager
def drivers(count: int) -> Iterator[list[Driver]]:
    """Processes that open studies as they are told (without a name, they list those there), and
    have imported all that they need.
    """
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    started = [Driver([sys.executable, "-c", DRIVER], text=True, **pipes) for _ in range(count)]
    try:
        yield started
    finally:
        for driver in started:
            driver.kill()
            driver.communicate()


@pytest.fixture(scope="module")
def racers() -> Iterator[list[Driver]]:
    with drivers(3) as started:
        yield started


def tell(racers: list[Driver], line: str) -> list[str]:
    """Give each process a line, and return their answers."""
    for driver in racers:
        assert driver.stdin
        driver.stdin.write(f"{line}\n")
        driver.stdin.flush()
    return [driver.stdout.readline().strip() for driver in racers if driver.stdout]


def drive(racers: list[Driver], place: Workspace, name: str) -> list[str]:
    """Have the processes open a study at once."""
    assert set(tell(racers, f"{place.directory}|{place.storage or ''}|{name}")) == {"ready"}
    return tell(racers, "open")


def take(place: Workspace, name: str) -> None:
    """Open the study to write it, and close it."""
    place.open(name, experiment_file.load("iris")).close()


def test_a_second_driver_is_refused_and_a_dead_one_is_replaced(place: Workspace, name: str) -> None:
    with drivers(1) as (driver,):
        assert drive([driver], place, name) == ["mine"]
        owner = place.driver(name)
        assert owner
        assert (owner.pid, owner.host) == (driver.pid, os.uname().nodename)
        assert pd.Timestamp(owner.since) > pd.Timestamp.now("UTC") - pd.Timedelta(120, "s")
        sentence = f"study {name} is in use by {owner}; wait until"
        with pytest.raises(LockError, match=re.escape(sentence)):
            take(place, name)
        driver.send_signal(signal.SIGSTOP)  # a stopped process keeps its lock
        with pytest.raises(LockError, match=re.escape(sentence)), place.locked(name):
            pass
        driver.kill()
        driver.wait()
        assert place.driver(name) is None
        take(place, name)
    assert place.driver(name) is None


def test_of_several_that_start_at_once_one_drives(
    place: Workspace, name: str, racers: list[Driver]
) -> None:
    for turn in range(2):  # a new study, and one that is there
        found = drive(racers, place, name)
        assert found.count("mine") == 1, (turn, found)
        winner = racers[found.index("mine")].pid
        refusal = f"study {name} is in use by process {winner} on "
        assert sum(refusal in answer for answer in found) == 2
        assert set(tell(racers, "close")) == {"closed"}


def test_who_comes_first_to_a_database_waits_while_another_makes_its_tables(
    postgres: Postgres, tmp_path: Path, racers: list[Driver]
) -> None:
    """Two that drive a study each, and one that reads."""
    for turn in range(5):
        url = postgres.database(f"empty_{turn}")
        for driver, name in zip(racers, ("one", "two", ""), strict=True):
            assert tell([driver], f"{tmp_path}|{url}|{name}") == ["ready"]
        assert tell(racers, "open") == ["mine"] * 3
        assert tell(racers, "close") == ["closed"] * 3


def test_the_commands_print_who_drives(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    place = workspace(tmp_path)
    opened = place.open("iris", experiment_file.load("iris"))
    owner = place.driver("iris")
    assert owner
    found, _ = statuses(place)
    assert found[0]["driver"] == {"host": owner.host, "pid": os.getpid(), "since": owner.since}
    output.print_status(found)
    assert f"{owner.host} {owner.pid} since {owner.since}" in capsys.readouterr().out
    assert any(f"driven by {owner}" in finding.what for finding in examine(place))
    done = sweeps("sync", cwd=tmp_path, status=1)
    assert done.stderr.startswith(f"sweeps: study iris is in use by {owner}; wait until")
    opened.close()
    assert statuses(place)[0][0]["driver"] is None


def test_a_refused_experiment_leaves_no_lock(place: Workspace, name: str) -> None:
    take(place, name)
    with pytest.raises(StudyError):
        place.open(name, experiment_file.load("iris", ["training.epochs=3"]))
    while place.driver(name):  # PostgreSQL notices the end of a connection a moment later
        pass
    take(place, name)


@pytest.mark.parametrize("url", ["mysql://host/name", "sqlite://", "redis://127.0.0.1"])
def test_a_storage_without_a_lock_is_refused(url: str) -> None:
    with pytest.raises(InputError, match=r"not supported; use a \.journal file"):
        study_lock(url, "s")
