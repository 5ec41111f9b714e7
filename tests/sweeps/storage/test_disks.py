"""Disks that are full: one sentence, what was recorded is kept, and at the end the same table.

A limit on the size of files, which every system has, makes a disk full for some processes.
"""

import contextlib
import os
import resource
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from optuna.study import StudyDirection

from experiments.errors import DirectoryError, StorageError
from experiments.evaluation import load_splits, stored
from nnreg import Split, Splits
from sweeps.storage.journal import open_journal
from tests.commands import SWEEPS, checked, sweeps
from tests.own import options
from tests.sweeps.search import trials
from tests.sweeps.search.trials import grow, opened, table
from tests.sweeps.test_same_table import edits, experiment, recorded, search, tables

TRIALS = 20
RUN = ("run", "iris", f"--trials={TRIALS}", "--workers=1", *options(edits("tpe")))


@contextlib.contextmanager
def full_at(size: int) -> Iterator[None]:
    """A disk on which no file gets more bytes, for this process and those that it starts."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a search that had room."""
    folder = tmp_path_factory.mktemp("full") / "finished"
    search(folder, experiment("tpe"), trials=TRIALS)
    return folder


@pytest.fixture(scope="module")
def tracking(finished: Path, made: Path) -> str:
    """One MLflow database serves all, which saves making it each time."""
    return f"sqlite:///{shutil.copy(made, finished.parent)}"


def sentence(done: subprocess.CompletedProcess[str]) -> str:
    """The one sentence of a command that failed, progress left out."""
    said = [line for line in done.stderr.splitlines() if line.startswith("sweeps: ")]
    assert said == done.stderr.splitlines()[-1:]
    return said[0]


def test_a_sweep_goes_on_when_there_is_room(tmp_path: Path, finished: Path, tracking: str) -> None:
    journal = tmp_path / "studies" / "iris.journal"
    with full_at((finished / "studies" / "iris.journal").stat().st_size // 2):
        done = sweeps(*RUN, "--no-confirm", f"--tracking-uri={tracking}", cwd=tmp_path, status=1)
    assert (
        sentence(done)
        == f"sweeps: {journal} cannot be written (File too large); make room, then run the same"
        " command again: what was recorded is kept"
    )
    assert 0 < recorded(journal) < TRIALS
    assert search(tmp_path, experiment("tpe"), trials=TRIALS) == tables(finished)


def test_reports_are_made_when_there_is_room(tmp_path: Path, finished: Path) -> None:
    shutil.copytree(finished / "studies", tmp_path / "studies")
    report = ("report", "iris", "--tracking-uri=http://127.0.0.1:9")
    page = tmp_path / "reports" / "iris" / "report.html"
    with full_at(50_000):
        done = sweeps(*report, cwd=tmp_path, status=1)
    assert sentence(done).startswith(
        f"sweeps: {page} cannot be written (File too large); make room"
    )
    assert not list(page.parent.glob(".*"))
    sweeps(*report, cwd=tmp_path)
    assert page.exists()
    assert tables(tmp_path) == tables(finished)


def test_full_at_every_byte_of_a_record(memory: Path) -> None:
    path = memory / "s.journal"
    storage = open_journal(path, writing=True)
    study = storage.create_new_study([StudyDirection.MINIMIZE])
    whole = path.read_bytes()
    storage.set_study_user_attr(study, "text", "x" * 200)
    for size in range(len(whole), path.stat().st_size):
        path.write_bytes(whole)
        storage = open_journal(path, writing=True)
        with full_at(size), pytest.raises(OSError, match="File too large"):
            storage.set_study_user_attr(study, "text", "x" * 200)
        storage = open_journal(path, writing=True)
        assert path.read_bytes() == whole
        storage.set_study_user_attr(study, "text", "x" * 200)
        assert storage.get_study_user_attrs(study) == {"text": "x" * 200}
    assert list(memory.iterdir()) == [path]


def test_a_database_goes_on_when_there_is_room(tmp_path: Path) -> None:
    url, definition = f"sqlite:///{tmp_path}/study.db", trials.experiment("sweep.sampler=random")
    study = opened(url, definition)
    grow(study, 2)
    says = r"study.db cannot be written \(disk I/O error\); make room, then run the same command"
    with (
        full_at((tmp_path / "study.db").stat().st_size + 4096),
        pytest.raises(StorageError, match=says),
    ):
        grow(study, 30)
    study.close()
    study = opened(url, definition)
    assert 2 <= study.finished < 30
    grow(study, 30)
    whole = opened(tmp_path / "whole.journal", definition)
    grow(whole, 30)
    assert table(study) == table(whole)


@pytest.mark.parametrize("values", [500, 100_000])
def test_arrays_for_the_workers_are_whole_or_refused(values: int) -> None:
    """500 float64 behind a header of 128 bytes are 32 more than the limit: np.save loses them and
    says nothing.
    """
    x, y = np.arange(float(values))[:, None], np.arange(values) % 2
    split = Split(x, y, np.ones((1, 1)), np.array([0]))
    with stored(Splits((split,))) as folder:
        assert (load_splits(folder).folds[0].x_train == split.x_train).all()
    says = r"folder cannot be written \(File too large\); make room there, or set TMPDIR to another"
    with full_at(4096), pytest.raises(DirectoryError, match=says), stored(Splits((split,))):
        pass


@pytest.fixture
def rows(tmp_path: Path) -> Path:
    """A folder with a table of a user's own."""
    (tmp_path / "rows.csv").write_text("a,b\n" + "".join(f"{n},{n % 2}\n" for n in range(40)))
    return tmp_path


def test_half_an_experiment_file_is_not_left(rows: Path) -> None:
    with full_at(600):
        done = sweeps("new", "rows.csv", "--target", "b", cwd=rows, status=1)
    assert "rows.toml cannot be written (File too large); make room" in sentence(done)
    assert [path.name for path in rows.iterdir()] == ["rows.csv"]


def test_an_output_that_is_full(rows: Path) -> None:
    environ = {name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"}
    with Path("/dev/full").open("w") as full:  # met at the end alone, where Python buffers
        done = subprocess.run(
            [SWEEPS, "new", "rows.csv", "--target", "b"],
            cwd=rows,
            env=environ,
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
        )
    says = "sweeps: the output cannot be used (No space left on device)"
    assert sentence(checked(done, 1)).startswith(says)
