"""One driver a study: real processes that are killed, stopped and started at once, on a journal,
SQLite and PostgreSQL.
"""

import contextlib
import functools
import os
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Iterator
from pathlib import Path

import optuna
import pandas as pd
import pytest
import sqlalchemy

import sweeps
from experiments import experiment_file
from experiments.errors import ClaimError, StudyError
from sweeps.checkup.doctor import examine
from sweeps.checkup.status import statuses
from sweeps.cli import output
from sweeps.storage import database_lock, open_storage
from sweeps.workspace import Workspace, workspace
from tests.postgres import postgres

SWEEPS = str(Path(sys.executable).with_name("sweeps"))
NO_TRACKER = "http://127.0.0.1:9"  # refuses at once; MLflow is not what is tested here
FOREVER = 10**6  # epochs; the most that an experiment may have
SLOWEST = 120  # seconds for what takes a few on a quiet machine


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    with postgres() as url:
        yield url


@pytest.fixture(params=["journal", "sqlite", "postgresql"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Workspace:
    """A directory, and a study's name there that no other test has."""
    urls = {"journal": lambda: None, "sqlite": lambda: f"sqlite:///{tmp_path}/studies.db"}
    urls["postgresql"] = lambda: str(request.getfixturevalue("server"))
    return workspace(tmp_path, urls[request.param](), NO_TRACKER)


@pytest.fixture
def name(request: pytest.FixtureRequest) -> str:
    return str(request.function.__name__)[:60]


def edits(epochs: int) -> list[str]:
    return [f"training.epochs={epochs}", "sweep.generation=4", "sweep.sampler=random"]


def command(place: Workspace, name: str, *, trials: int = 8, epochs: int = FOREVER) -> list[str]:
    storage = ["--storage", place.storage] if place.storage else []
    storage += ["--tracking-uri", place.tracking_uri] if place.tracking_uri else []
    return [
        SWEEPS, "run", "iris", "--study", name, "--trials", str(trials), "--workers", "1", "--no-confirm", *storage,
        "--directory", str(place.directory), *(f"--set={edit}" for edit in edits(epochs)),
    ]  # fmt: skip


@contextlib.contextmanager
def driving(
    place: Workspace,
    name: str,
    *,
    recorded: int = 0,
    tmpdir: Path | None = None,
    trials: int = 8,
    epochs: int = FOREVER,
) -> Iterator["subprocess.Popen[str]"]:
    """A driver that has the claim and has recorded so many trials; with temporary files elsewhere
    it seems another machine's.
    """
    process = subprocess.Popen(
        command(place, name, trials=trials, epochs=epochs),
        env={**os.environ, **({"TMPDIR": str(tmpdir)} if tmpdir else {})},
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        deadline = time.monotonic() + SLOWEST
        while not begun(place, name) or len(trials_of(place, name)) < recorded:
            assert process.poll() is None, process.communicate()
            assert time.monotonic() < deadline
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(0.02)
        yield process
    finally:
        process.kill()
        process.communicate(timeout=SLOWEST)


def begun(place: Workspace, name: str) -> bool:
    """Whether a driver has the claim: the first thing that it then writes is what it aims at."""
    return (
        place.storage is not None or Path(place.storage_of(name)).exists()
    ) and "trials" in loaded(place, name).user_attrs


storage_at = functools.cache(open_storage)  # one connection for all looks at a database


def loaded(place: Workspace, name: str) -> optuna.Study:
    with contextlib.suppress(KeyError):
        return optuna.load_study(study_name=name, storage=storage_at(place.storage_of(name)))
    return optuna.create_study()  # not made yet: an empty one


def trials_of(place: Workspace, name: str) -> list[optuna.trial.FrozenTrial]:
    return loaded(place, name).get_trials(deepcopy=False)


def content(place: Workspace, name: str) -> object:
    """All that a second driver must not change."""
    study = loaded(place, name)
    return (
        study.user_attrs,
        study.get_trials(),
        sorted(path.name for path in place.directory.rglob("*")),
    )


def stop(process: "subprocess.Popen[str]", place: Workspace, name: str) -> None:
    """Stop a driver while it is in no transaction: there it would keep all others waiting."""
    engine = loaded(place, name)._storage._backend.engine
    busy = sqlalchemy.text(
        "SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend' AND state <>"
        " 'idle'"
    )
    while True:
        process.send_signal(signal.SIGSTOP)
        with engine.connect() as connection:
            if connection.execute(busy).scalar() == 1:  # this very query
                return
        process.send_signal(signal.SIGCONT)
        with contextlib.suppress(
            subprocess.TimeoutExpired
        ):  # let it go on to the end of its transaction
            process.wait(0.1)


def take(place: Workspace, name: str) -> None:
    """Open the study to write it, and close it."""
    place.open(name, experiment_file.load("iris", edits(FOREVER))).close()


def test_a_second_driver_is_refused_and_a_dead_one_is_followed(place: Workspace, name: str) -> None:
    with driving(place, name) as process:
        owner = place.driver(name)
        assert owner
        assert (owner.pid, owner.host) == (process.pid, os.uname().nodename)
        assert pd.Timestamp(owner.since) > pd.Timestamp.now("UTC") - pd.Timedelta(SLOWEST, "s")
        before = content(place, name)
        with pytest.raises(ClaimError, match=f"study {name} is in use by {owner}; "):
            take(place, name)
        assert content(place, name) == before
        os.kill(
            process.pid, signal.SIGSTOP
        )  # on this machine a process that is stopped is seen to live
        with pytest.raises(ClaimError):
            take(place, name)
        process.kill()
        process.wait(SLOWEST)
        assert place.driver(name) is None
        take(place, name)  # at once
    assert place.driver(name) is None
    assert "driver" not in loaded(place, name).user_attrs
    assert not list(place.directory.rglob("*.driver"))


def test_the_commands_say_who_drives(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    place = workspace(tmp_path)
    with driving(place, "iris") as process:
        owner = place.driver("iris")
        assert owner
        found = statuses(place)
        assert found[0]["driver"] == {"host": owner.host, "pid": process.pid, "since": owner.since}
        output.print_status(found)
        assert f"{owner.host} {process.pid} since {owner.since}" in capsys.readouterr().out
        assert f"study iris: 0 of 8 trials, 0 runs on MLflow, driven by {owner}" in [
            finding.what for finding in examine(place)
        ]
        done = subprocess.run(
            [SWEEPS, "sync"], cwd=tmp_path, capture_output=True, text=True, timeout=SLOWEST
        )
        assert (done.returncode, done.stdout) == (1, "")
        assert done.stderr.startswith(f"sweeps: study iris is in use by {owner}; wait until")
    assert statuses(place)[0]["driver"] is None


@pytest.mark.parametrize(
    "place", ["postgresql"], indirect=True
)  # one stopped inside a transaction of SQLite's locks out all
def test_an_owner_that_was_taken_over_writes_nothing_more(
    place: Workspace, name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It seems to be on another machine, is stopped for longer than 60 s, and then goes on."""
    other = tmp_path / "other"
    other.mkdir()
    epochs = 500  # a generation takes a while
    with driving(place, name, recorded=4, tmpdir=other, trials=12, epochs=epochs) as process:
        stop(process, place, name)
        kept = trials_of(place, name)
        assert place.driver(name)
        with pytest.raises(ClaimError, match=f"by process {process.pid} "):
            sweeps.run(
                "iris",
                study=name,
                directory=tmp_path,
                storage=place.storage,
                edits=edits(epochs),
                tracking_uri=NO_TRACKER,
            )
        monkeypatch.setattr(database_lock, "SILENCE", -1)  # more than 60 s are over
        monkeypatch.setattr(database_lock, "BEAT", 0.5)  # and one more look finds it as silent
        assert place.driver(name) is None
        opened = place.open(name, experiment_file.load("iris", edits(epochs)))
        os.kill(process.pid, signal.SIGCONT)
        _, error = process.communicate(timeout=SLOWEST)
        assert process.returncode == 1
        assert f"sweeps: study {name} was taken over by process {os.getpid()} on " in error
        assert "Traceback" not in error
        assert trials_of(place, name) == kept
        opened.close()
    assert "driver" not in loaded(place, name).user_attrs


@pytest.mark.parametrize("place", ["sqlite", "postgresql"], indirect=True)
def test_an_owner_gives_signs_of_life(
    place: Workspace, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database_lock, "BEAT", 0.05)
    opened = place.open(name, experiment_file.load("iris"))
    first = loaded(place, name).user_attrs["driver"]
    deadline = time.monotonic() + SLOWEST
    while (now := loaded(place, name).user_attrs["driver"])["beat"] == first[
        "beat"
    ]:  # SQLite's clock has whole seconds
        assert time.monotonic() < deadline
    assert now == {**first, "beat": now["beat"]}
    assert now["beat"] > first["beat"]
    opened.close()


@pytest.mark.parametrize("place", ["sqlite", "postgresql"], indirect=True)
def test_a_sign_of_life_that_failed_is_made_up_for_soon(
    place: Workspace, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    failed = []

    def fail(_: object, __: object, statement: str, *rest: object) -> None:
        if statement.startswith("UPDATE study_user_attributes") and len(failed) < 2:
            failed.append(statement)
            monkeypatch.setattr(
                database_lock, "BEAT", 3_600.0
            )  # from the second one on, the next in time is not waited for
            raise sqlalchemy.exc.OperationalError(
                statement, {}, Exception("the connection is gone")
            )

    monkeypatch.setattr(database_lock, "BEAT", 0.05)
    opened = place.open(name, experiment_file.load("iris"))
    first = loaded(place, name).user_attrs["driver"]["beat"]
    sqlalchemy.event.listen(sqlalchemy.Engine, "before_cursor_execute", fail)
    try:
        deadline = time.monotonic() + SLOWEST
        while len(failed) < 2 or loaded(place, name).user_attrs["driver"]["beat"] == first:
            assert time.monotonic() < deadline
    finally:
        sqlalchemy.event.remove(sqlalchemy.Engine, "before_cursor_execute", fail)
        opened.close()


RACER = textwrap.dedent("""
    import sys
    from experiments import experiment_file
    from experiments.errors import ClaimError
    from sweeps.storage import database_lock
    from sweeps.workspace import workspace
    definition = experiment_file.load("iris")
    database_lock.BEAT = 0.2  # of which who is dead gives none
    for line in sys.stdin:
        place = workspace(line.rstrip("\\n"), sys.stdin.readline().rstrip("\\n") or None)
        place.studies()  # all is imported
        print("ready", flush=True)
        study, opened = sys.stdin.readline().strip(), None
        try:
            opened = place.open(study, definition)
            print("mine", flush=True)
        except ClaimError as error:
            print(error, flush=True)
        sys.stdin.readline()
        if opened:
            opened.close()
        print("closed", flush=True)
""")


@pytest.fixture(scope="module")
def racers() -> Iterator[list["subprocess.Popen[str]"]]:
    """Processes that have imported all, for every place."""
    program = [sys.executable, "-c", RACER]
    started = [
        subprocess.Popen(program, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        for _ in range(3)
    ]
    yield started
    for racer in started:
        racer.kill()
        racer.communicate(timeout=SLOWEST)


def test_of_several_that_start_at_once_one_drives(
    place: Workspace, name: str, racers: list["subprocess.Popen[str]"]
) -> None:
    """New studies, and studies that a dead owner on another machine has left."""
    place.directory.joinpath("studies").mkdir()

    def say(*lines: str) -> None:
        for racer in racers:
            assert racer.stdin
            racer.stdin.write("".join(f"{line}\n" for line in lines))
            racer.stdin.flush()

    def answers() -> list[str]:
        return [racer.stdout.readline().strip() for racer in racers if racer.stdout]

    for number in range(2):
        study = f"{name}-{number}"
        if place.storage and number % 2:
            dead = {
                "host": "gone",
                "pid": 1,
                "since": "2026-11-23T07:25:49Z",
                "token": "0" * 32,
                "beat": 0.0,
            }
            born = optuna.create_study(
                study_name=study, storage=storage_at(place.storage), direction="maximize"
            )
            born.set_user_attr("driver", dead)
        say(str(place.directory), place.storage or "")
        assert set(answers()) == {"ready"}
        say(study)
        found = answers()
        assert found.count("mine") == 1, found
        winner = racers[found.index("mine")].pid
        assert (
            sum(f"study {study} is in use by process {winner} on " in answer for answer in found)
            == 2
        )
        say("close")
        assert set(answers()) == {"closed"}


def test_two_commands_at_once_make_one_sweep(tmp_path: Path) -> None:
    place = workspace(tmp_path, f"sqlite:///{tmp_path}/s.db", NO_TRACKER)
    arguments = command(place, "iris", epochs=200)
    both = [
        subprocess.Popen(arguments, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    errors = [process.communicate(timeout=SLOWEST)[1] for process in both]
    assert sorted(process.returncode for process in both) == [0, 1], errors
    assert sum("study iris is in use by process" in error for error in errors) == 1
    assert [trial.number for trial in trials_of(place, "iris")] == list(range(8))


def test_a_refused_experiment_leaves_no_claim(place: Workspace, name: str) -> None:
    place.open(name, experiment_file.load("iris")).close()
    with pytest.raises(StudyError):
        take(place, name)
    assert place.driver(name) is None
    place.open(name, experiment_file.load("iris")).close()
