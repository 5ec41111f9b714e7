"""The journal's lock: a dead driver's is nobody's at once, a living writer's is respected, ours or
Optuna's.
"""

import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import optuna
import pytest
from optuna.storages.journal import JournalFileSymlinkLock

from experiments.errors import StorageError
from sweeps.storage import journal_lock, open_storage
from sweeps.storage.journal_lock import JournalLock

HOLDER = """
import sys
from sweeps.storage.journal_lock import JournalLock
lock = JournalLock(sys.argv[1])
lock.acquire()
print("locked", flush=True)
sys.stdin.read()
"""
GRACE = 30  # seconds that Optuna gives a lock that does not move


@pytest.fixture
def journal(tmp_path: Path) -> str:
    path = str(tmp_path / "s.journal")
    optuna.create_study(study_name="s", storage=open_storage(path))
    return path


@contextmanager
def holder(journal: str) -> Iterator["subprocess.Popen[str]"]:
    """Another process that holds the lock."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLDER, journal],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout
        assert process.stdout.readline() == "locked\n"
        yield process
    finally:
        process.kill()
        process.communicate()


def write(journal: str) -> None:
    optuna.load_study(study_name="s", storage=open_storage(journal)).set_user_attr("written", True)


def test_the_lock_of_a_dead_driver_is_taken_over_at_once(journal: str) -> None:
    with holder(journal) as process:
        process.kill()
        process.wait()
    assert Path(f"{journal}.lock").is_symlink()
    started = time.monotonic()
    write(journal)
    assert time.monotonic() - started < GRACE / 2
    assert not Path(f"{journal}.lock").is_symlink()


@pytest.mark.parametrize("first", [JournalLock, JournalFileSymlinkLock])
@pytest.mark.parametrize("second", [JournalLock, JournalFileSymlinkLock])
def test_a_living_writer_is_waited_for(
    journal: str, first: type[JournalFileSymlinkLock], second: type[JournalFileSymlinkLock]
) -> None:
    """Of ours and of Optuna's own, as its dashboard has it."""
    holding, waiting = first(journal), second(journal)
    holding.acquire()
    thread = threading.Thread(target=lambda: waiting.acquire() and waiting.release())
    thread.start()
    thread.join(0.3)
    assert thread.is_alive()
    holding.release()
    thread.join(GRACE / 2)
    assert not thread.is_alive()
    assert not Path(f"{journal}.lock").is_symlink()


def test_a_stopped_writer_is_said(journal: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(journal_lock, "SLOWEST_WRITE", 3)
    with holder(journal) as process:
        process.send_signal(signal.SIGSTOP)
        with pytest.raises(StorageError, match="locked for 3 s by a driver that does not move"):
            write(journal)
    write(journal)


def test_a_lock_that_was_removed_by_force_is_let_go_quietly(journal: str) -> None:
    lock, other = JournalLock(journal), JournalFileSymlinkLock(journal)
    lock.acquire()
    Path(f"{journal}.lock").unlink()
    other.acquire()
    lock.release()
    assert Path(f"{journal}.lock").is_symlink()  # the other's stays
    other.release()
    write(journal)
