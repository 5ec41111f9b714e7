"""A journal that was torn: opened, said, mended under the lock, and gone on with to the table of
one that was not.
"""

import json
import logging
import shutil
import subprocess
import sys
import tempfile
import textwrap
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import optuna
import pytest
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend

from experiments.errors import StorageError
from sweeps.search.study import Study, open_study
from sweeps.storage.journal import Journal
from sweeps.storage.storage import open_storage
from tests.sweeps.test_study import experiment, grow, opened, table

TRIALS = 4
# as one who writes UTF-8 does
RECORD = b'{"op_code":2,"worker_id":"w","study_id":0,"user_attr":{"note":"caf\xc3\xa9"}}\n'


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A journal with a few trials."""
    path = tmp_path_factory.mktemp("whole") / "s.journal"
    grow(opened(path, experiment("sweep.sampler=random")), TRIALS)
    return path


def trials(path: Path) -> int:
    """How many trials somebody who only reads finds."""
    return sum(len(study.trials) for study in studies(path))


def studies(path: Path) -> list[optuna.Study]:
    storage = open_storage(str(path))
    return [
        optuna.load_study(study_name=name, storage=storage)
        for name in optuna.get_all_study_names(storage)
    ]


def last_line(data: bytes) -> int:
    """Where the last record begins."""
    return data.rindex(b"\n", 0, -1) + 1


@pytest.fixture
def quick(tmp_path: Path) -> Iterator[Path]:
    """A folder in memory where there is one: thousands of fsync take half a minute of a busy disk."""
    memory = Path("/dev/shm")
    with tempfile.TemporaryDirectory(dir=memory if memory.is_dir() else tmp_path) as folder:
        yield Path(folder)


def test_cut_at_every_byte_of_the_last_record(whole: Path, quick: Path) -> None:
    data = whole.read_bytes()
    start = last_line(data)
    path, aside = quick / "s.journal", quick / "s.journal.torn"
    for end in range(start + 1, len(data)):
        path.write_bytes(data[:end])
        assert trials(path) == TRIALS - 1
        assert path.read_bytes() == data[:end]  # who reads changes nothing
        open_storage(str(path), writing=True)
        assert path.read_bytes() == data[:start]
        assert aside.read_bytes() == data[start:end] + b"\n"
        aside.unlink()


def zeros_behind(data: bytes) -> bytes:
    return data[:-20] + bytes(4000)


def zeros_alone(data: bytes) -> bytes:
    return data[: last_line(data)] + bytes(4000)


def zeros_before_the_end(data: bytes) -> bytes:
    """The first page of a record did not reach the disk, the second one did."""
    start = last_line(data)
    return data[:start] + bytes(100) + data[start + 100 :]


def inside_a_character(data: bytes) -> bytes:
    return data + RECORD[: RECORD.index(b"\xa9")]


def inside_a_character_with_a_newline(data: bytes) -> bytes:
    return inside_a_character(data) + b"\n"


def without_the_newline(data: bytes) -> bytes:
    return data[:-1]


def glued(data: bytes) -> bytes:
    """What a writer that does not look leaves behind."""
    return data[:-20] + RECORD


TORN = [
    zeros_behind, zeros_alone, zeros_before_the_end, inside_a_character, inside_a_character_with_a_newline, without_the_newline,
    glued,
]  # fmt: skip


@pytest.mark.parametrize("tear", TORN)
def test_any_torn_end_is_read_mended_and_gone_on_with(
    whole: Path, tmp_path: Path, tear: Callable[[bytes], bytes], caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "s.journal"
    torn = tear(whole.read_bytes())
    path.write_bytes(torn)
    left = trials(path)
    assert left >= TRIALS - 1
    assert path.read_bytes() == torn
    with caplog.at_level(logging.WARNING, logger="sweeps"):
        study = opened_for_writing(path)
    assert study.finished == left
    assert "its last record was cut short" in caplog.text
    grow(study, TRIALS)
    study.close()
    assert table(opened_for_writing(path)) == table(
        opened(whole, experiment("sweep.sampler=random"))
    )
    assert trials(path) == TRIALS
    assert [json.loads(line)["op_code"] for line in path.read_bytes().splitlines()]


def opened_for_writing(path: Path) -> Study:
    """The study as a new driver opens it."""
    return open_study(
        open_storage(str(path), writing=True), str(path), "s", experiment("sweep.sampler=random")
    )


def test_a_torn_end_made_by_another_while_one_writes(whole: Path, tmp_path: Path) -> None:
    """Two studies may share a journal; the other's driver died after this one had opened it."""
    path = tmp_path / "s.journal"
    shutil.copy(whole, path)
    study = opened_for_writing(path)
    with path.open("ab") as file:
        file.write(RECORD[:30])
    grow(study, TRIALS + 1)
    assert trials(path) == TRIALS + 1
    assert (tmp_path / "s.journal.torn").read_bytes() == RECORD[:30] + b"\n"


def test_every_writer_keeps_a_record_of_its_own(tmp_path: Path) -> None:
    """Optuna's own backend and ours, in turns on one file."""
    path = str(tmp_path / "s.journal")
    study = optuna.create_study(study_name="s", storage=JournalStorage(JournalFileBackend(path)))
    ours = optuna.load_study(study_name="s", storage=open_storage(path))
    for value in range(3):
        study.add_trial(optuna.create_trial(value=value))
        ours.add_trial(optuna.create_trial(value=value))
    assert (
        [trial.value for trial in study.trials]
        == [trial.value for trial in ours.trials]
        == [0, 0, 1, 1, 2, 2]
    )


def test_damage_before_the_end_is_refused_and_nothing_changed(whole: Path, tmp_path: Path) -> None:
    lines = whole.read_bytes().splitlines(keepends=True)
    path = tmp_path / "s.journal"
    for damage in (
        b"\0" * 40 + b"\n",
        lines[4][:50] + lines[5],
        b"\xff\xfe\n",
        b"\n",
        b"[]\n",
        b'{"a": 1}\n',
    ):
        data = b"".join([*lines[:4], damage, *lines[5:]])
        path.write_bytes(data)
        for writing in (False, True):
            with pytest.raises(
                StorageError,
                match=(
                    rf"{path}, line 5: it is damaged.*: head -n 4 {path} > kept && mv kept {path}"
                ),
            ):
                open_storage(str(path), writing=writing)
        assert path.read_bytes() == data


@pytest.mark.parametrize(
    "data", [b"notes", b"notes\n", "Notizen: schön\n".encode("utf-16"), b"one\ntwo\n"]
)
def test_a_file_of_something_else_is_left_alone(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "notes.journal"
    path.write_bytes(data)
    with pytest.raises(StorageError, match="line 1: this is no record of a study"):
        open_storage(str(path), writing=True)
    assert [(p.name, p.read_bytes()) for p in tmp_path.iterdir()] == [("notes.journal", data)]


@pytest.mark.parametrize("data", [b"", b"{", b'{"op_code":0,"worker', bytes(512)])
def test_a_journal_that_was_torn_at_its_birth_begins_again(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "s.journal"
    path.write_bytes(data)
    assert trials(path) == 0
    grow(opened_for_writing(path), 2)
    assert trials(path) == 2


def test_the_half_line_of_a_live_writer_is_left_to_it(whole: Path, tmp_path: Path) -> None:
    """A process that holds the lock and has written half a record, as a slow disk shows it."""
    path = tmp_path / "s.journal"
    shutil.copy(whole, path)
    program = textwrap.dedent("""
        import sys
        from optuna.storages.journal import JournalFileSymlinkLock
        path, record = sys.argv[1], bytes.fromhex(sys.argv[2])
        lock = JournalFileSymlinkLock(path)
        lock.acquire()
        with open(path, "ab", buffering=0) as file:
            file.write(record[:30])
            print("half", flush=True)
            sys.stdin.readline()
            file.write(record[30:])
        lock.release()
    """)
    command = [sys.executable, "-c", program, str(path), RECORD.hex()]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdin
        assert process.stdout
        assert process.stdout.readline() == "half\n"
        assert trials(path) == TRIALS
        opener = threading.Thread(target=open_storage, args=(str(path),), kwargs={"writing": True})
        opener.start()
        opener.join(0.5)  # all the time that an opener without a lock would need to do harm
        assert opener.is_alive()
        process.communicate("go on\n", timeout=60)
        opener.join(60)
    assert path.read_bytes() == whole.read_bytes() + RECORD
    assert not list(tmp_path.glob("*.torn"))


def test_a_reader_leaves_no_file(tmp_path: Path) -> None:
    JournalStorage(Journal(str(tmp_path / "s.journal")))
    assert not list(tmp_path.iterdir())
