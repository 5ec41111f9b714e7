"""A journal that was torn: opened, reported, mended under the lock, and continued to the table of
one that was not.
"""

import json
import logging
import shutil
import threading
import time
from collections.abc import Callable
from pathlib import Path

import optuna
import pytest
from optuna.storages.journal import JournalFileSymlinkLock

from experiments.errors import StorageError
from sweeps.storage import journal
from sweeps.storage.journal import open_journal
from sweeps.storage.storage import open_storage
from tests.sweeps.search.trials import experiment, grow, opened, table

TRIALS = 4
RECORD = b'{"op_code":2,"worker_id":"w","study_id":0,"user_attr":{"note":"written"}}\n'
DEFINITION = experiment("sweep.sampler=random")


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A journal with a few trials."""
    path = tmp_path_factory.mktemp("whole") / "s.journal"
    study = opened(path, DEFINITION)
    grow(study, TRIALS)
    study.close()
    return path


def trials(path: Path) -> int:
    """Return how many trials a reader finds."""
    storage = open_storage(str(path))
    return sum(
        len(optuna.load_study(study_name=name, storage=storage).trials)
        for name in optuna.get_all_study_names(storage)
    )


def last_line(data: bytes) -> int:
    """Return where the last record begins."""
    return data.rindex(b"\n", 0, -1) + 1


def test_cut_at_every_byte_of_the_last_record(whole: Path, memory: Path) -> None:
    data = whole.read_bytes()
    start, path = last_line(data), memory / "s.journal"
    for end in range(start + 1, len(data)):
        path.write_bytes(data[:end])
        assert trials(path) == TRIALS - 1
        assert path.read_bytes() == data[:end]  # a reader changes nothing
        open_journal(path, writing=True)
        assert path.read_bytes() == data[:start]


# What a power cut leaves of a journal whose last line begins at `start`.
TORN: dict[str, Callable[[bytes, int], bytes]] = {
    "zeros behind": lambda data, start: data[:-20] + bytes(4000),
    "zeros alone": lambda data, start: data[:start] + bytes(4000),
    "first page lost": lambda data, start: data[:start] + bytes(100) + data[start + 100 :],
    "glued by a writer that does not look": lambda data, start: data[:-20] + RECORD,
}


@pytest.mark.parametrize("tear", TORN)
def test_any_torn_end_is_mended_and_continued(
    whole: Path, memory: Path, tear: str, caplog: pytest.LogCaptureFixture
) -> None:
    path, data = memory / "s.journal", whole.read_bytes()
    path.write_bytes(TORN[tear](data, last_line(data)))
    with caplog.at_level(logging.WARNING, logger="sweeps"):
        study = opened(path, DEFINITION)
    assert study.finished == TRIALS - 1
    assert "its last record was cut short" in caplog.text
    grow(study, TRIALS)
    study.close()
    assert table(opened(path, DEFINITION)) == table(opened(whole, DEFINITION))
    assert all(json.loads(line) for line in path.read_bytes().splitlines())


def test_damage_before_the_end_is_refused_and_nothing_changed(whole: Path, tmp_path: Path) -> None:
    lines = whole.read_bytes().splitlines(keepends=True)
    path = tmp_path / "s.journal"
    says = rf"{path}, line 5: it is damaged.*: head -n 4 {path} > kept && mv kept {path}"
    for damage in (b"\0" * 40 + b"\n", lines[4][:50] + lines[5], b"\xff\xfe\n", b"\n", b"[]\n"):
        data = b"".join([*lines[:4], damage, *lines[5:]])
        path.write_bytes(data)
        for writing in (False, True):
            with pytest.raises(StorageError, match=says):
                open_journal(path, writing=writing)
        assert path.read_bytes() == data


@pytest.mark.parametrize(
    "data", [b"notes", b"notes\n", "Notizen: schön\n".encode("utf-16"), b"one\ntwo\n"]
)
def test_a_file_of_something_else_is_left_alone(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "notes.journal"
    path.write_bytes(data)
    with pytest.raises(StorageError, match="line 1: this is not a record of a study"):
        open_journal(path, writing=True)
    assert [(p.name, p.read_bytes()) for p in tmp_path.iterdir()] == [("notes.journal", data)]


@pytest.mark.parametrize("data", [b"", b"{", b'{"op_code":0,"worker', bytes(512)])
def test_a_journal_that_was_torn_at_its_birth_begins_again(memory: Path, data: bytes) -> None:
    path = memory / "s.journal"
    path.write_bytes(data)
    assert trials(path) == 0
    grow(opened(path, DEFINITION), 2)
    assert trials(path) == 2


def test_the_half_line_of_a_live_writer_is_left_to_it(whole: Path, tmp_path: Path) -> None:
    """Optuna's dashboard, for example, writes into the journal under the same lock."""
    path = tmp_path / "s.journal"
    shutil.copy(whole, path)
    lock = JournalFileSymlinkLock(str(path))
    lock.acquire()
    with path.open("ab", buffering=0) as file:
        file.write(RECORD[:30])
        assert trials(path) == TRIALS
        opener = threading.Thread(target=open_journal, args=(path,), kwargs={"writing": True})
        opener.start()
        opener.join(0.5)  # all the time that an opener without the lock would need to do harm
        assert opener.is_alive()
        file.write(RECORD[30:])
    lock.release()
    opener.join(60)
    assert path.read_bytes() == whole.read_bytes() + RECORD


def test_the_lock_of_a_dead_writer_costs_seconds(
    whole: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert journal.GRACE < 10
    monkeypatch.setattr(journal, "GRACE", 3)  # fewer, and Optuna warns
    path = tmp_path / "s.journal"
    shutil.copy(whole, path)
    JournalFileSymlinkLock(str(path)).acquire()  # which is a file, and nothing else
    began = time.monotonic()
    study = opened(path, DEFINITION)
    assert 2 < time.monotonic() - began < 20
    grow(study, TRIALS + 1)
    study.close()
    assert trials(path) == TRIALS + 1
