"""Disks that are full, and power that was cut: one sentence, what was recorded is kept, and at the
end the same table.

A limit on the size of files (which every system has) makes a disk full for one process; where one
may mount, a small file system is full for all.
"""

import os
import resource
import shutil
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path

import optuna
import pytest
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend

from tests.commands import SWEEPS
from tests.commands import sweeps as command
from tests.sweeps.test_same_table import experiment, search, tables

ROOT = Path(__file__).parents[3]
TRIALS = 20
ROOMY = 2**26  # bytes
# As tests.sweeps.test_same_table has it, on the command line.
EDITS = ("sweep.sampler=tpe", "training.epochs=4", "training.batch_size=16", "model.hidden=[9]")
RUN = (
    "run",
    "iris",
    f"--trials={TRIALS}",
    "--workers=1",
    "--no-confirm",
    *(f"--set={edit}" for edit in EDITS),
)


class Disk:
    """A folder whose files may only grow so far for a process that is started here."""

    reason = "File too large"

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def sweeps(self, *arguments: str, room: int | None) -> subprocess.CompletedProcess[str]:
        """The command, on a disk of so many bytes."""

        def limit() -> None:
            if room is not None:
                resource.setrlimit(resource.RLIMIT_FSIZE, (room, room))

        return subprocess.run(
            [SWEEPS, *arguments],
            cwd=self.folder,
            capture_output=True,
            text=True,
            timeout=120,
            preexec_fn=limit,
        )

    def make_room(self) -> None:
        """Make room for all."""

    def close(self) -> None:
        """Take it away."""


class SmallDisk(Disk):
    """A small file system."""

    reason = "No space left on device"

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        subprocess.run(
            ["mount", "-t", "tmpfs", "-o", f"size={ROOMY}", "tmpfs", folder],
            check=True,
            capture_output=True,
        )

    def sweeps(self, *arguments: str, room: int | None) -> subprocess.CompletedProcess[str]:
        self._resize(room or ROOMY)
        return super().sweeps(*arguments, room=None)

    def make_room(self) -> None:
        self._resize(ROOMY)

    def _resize(self, size: int) -> None:
        subprocess.run(["mount", "-o", f"remount,size={size}", self.folder], check=True)

    def close(self) -> None:
        subprocess.run(["umount", self.folder], check=True)


def may_mount(folder: Path) -> bool:
    try:
        SmallDisk(folder).close()
    except (OSError, subprocess.CalledProcessError):
        return False
    return True


@pytest.fixture(params=["a limit", "a file system"])
def disk(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Disk]:
    """Where one may not mount, the second is the first again: a skip would be a failure under
    CI=true.
    """
    folder = tmp_path / "disk"
    folder.mkdir()
    kind = SmallDisk if request.param == "a file system" and may_mount(folder) else Disk
    made = kind(folder)
    try:
        yield made
    finally:
        made.close()


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


def recorded(journal: Path) -> int:
    """Return how many trials Optuna finds."""
    return len(
        optuna.load_study(
            study_name="iris", storage=JournalStorage(JournalFileBackend(str(journal)))
        ).trials
    )


def sentence(done: subprocess.CompletedProcess[str]) -> str:
    """The one sentence of a command that failed, progress left out."""
    assert done.returncode == 1, done.stderr
    assert "Traceback" not in done.stderr
    said = [line for line in done.stderr.splitlines() if line.startswith("sweeps: ")]
    assert said == done.stderr.splitlines()[-1:]
    return said[0]


def go_on(folder: Path, finished: Path) -> None:
    """The same search again, now that nothing is in its way: it ends with the table of the one that
    met nothing.
    """
    assert search(folder, experiment("tpe"), trials=TRIALS) == tables(finished)


def test_a_sweep_goes_on_when_there_is_room(disk: Disk, finished: Path, tracking: str) -> None:
    journal = disk.folder / "studies" / "iris.journal"
    half = (finished / "studies" / "iris.journal").stat().st_size // 2
    done = disk.sweeps(*RUN, f"--tracking-uri={tracking}", room=half)
    assert (
        sentence(done)
        == f"sweeps: {journal} cannot be written ({disk.reason}); make room, then give the same"
        " command again: what was recorded is kept"
    )
    assert 0 < recorded(journal) < TRIALS
    disk.make_room()
    go_on(disk.folder, finished)


def test_reports_are_made_when_there_is_room(tmp_path: Path, finished: Path) -> None:
    shutil.copytree(finished / "studies", tmp_path / "studies")
    report = ("report", "iris", "--tracking-uri=http://127.0.0.1:9")
    page = tmp_path / "reports" / "iris" / "report.html"
    assert (
        sentence(Disk(tmp_path).sweeps(*report, room=50_000))
        == f"sweeps: {page} cannot be written (File too large); make room, then give the same"
        " command again: what was recorded is kept"
    )
    assert not list(page.parent.glob(".*"))
    command(*report, cwd=tmp_path)
    assert page.exists()
    assert tables(tmp_path) == tables(finished)


def child(program: str, folder: Path) -> str:
    """What a program prints that limits its own files."""
    preamble = (
        "import resource\ndef limit(n): resource.setrlimit(resource.RLIMIT_FSIZE, (n,"
        " resource.RLIM_INFINITY))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", preamble + textwrap.dedent(program)],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_full_at_every_byte_of_a_record(tmp_path: Path) -> None:
    program = """
        from pathlib import Path
        from sweeps.storage.journal import open_journal
        path = Path("s.journal")
        storage = open_journal(path, writing=True)
        study = storage.create_new_study([1])
        whole = path.read_bytes()
        storage.set_study_user_attr(study, "text", "x" * 200)
        length = len(path.read_bytes()) - len(whole)
        for room in range(length):
            path.write_bytes(whole)
            storage = open_journal(path, writing=True)
            limit(len(whole) + room)
            try:
                storage.set_study_user_attr(study, "text", "x" * 200)
            except OSError as error:
                assert error.strerror == "File too large"
            else:
                raise SystemExit(f"{length} bytes fit into {room}")
            limit(resource.RLIM_INFINITY)
            storage = open_journal(path, writing=True)
            assert path.read_bytes() == whole
            storage.set_study_user_attr(study, "text", "x" * 200)
            assert storage.get_study_user_attrs(study) == {"text": "x" * 200}
        print(*sorted(path.name for path in Path().iterdir()))
    """
    assert child(program, tmp_path) == "s.journal\n"


def test_a_database_goes_on_when_there_is_room(tmp_path: Path) -> None:
    program = """
        from pathlib import Path
        from experiments.errors import StorageError
        from tests.sweeps.search.trials import experiment, grow, opened, table
        URL, definition = "sqlite:///study.db", experiment("sweep.sampler=random")
        study = opened(URL, definition)
        grow(study, 2)
        limit(Path("study.db").stat().st_size + 4096)
        try:
            grow(study, 30)
        except StorageError as error:
            print(error)
        limit(resource.RLIM_INFINITY)
        study.close()
        study = opened(URL, definition)
        assert 2 <= study.finished < 30
        grow(study, 30)
        whole = opened("whole.journal", definition)
        grow(whole, 30)
        assert table(study) == table(whole)
    """
    assert (
        child(program, tmp_path)
        == "storage sqlite:///study.db cannot be written (disk I/O error); make room, then give the"
        " same command again: what was recorded is kept\n"
    )


@pytest.mark.parametrize("values", [500, 100_000])
def test_arrays_for_the_workers_are_whole_or_refused(tmp_path: Path, values: int) -> None:
    """500 float64 behind a header of 128 bytes are 32 more than the limit: np.save loses them and
    says nothing.
    """
    program = f"""
        import numpy as np
        from experiments.errors import DirectoryError
        from experiments.evaluation import load_split, stored
        from nnreg import Split
        x, y = np.arange({values}.0)[:, None], np.arange({values}) % 2
        split = Split(x, y, np.ones((1, 1)), np.array([0]))
        with stored(split) as folder:
            assert (load_split(folder).x_train == split.x_train).all()
        limit(4096)
        try:
            with stored(split):
                pass
        except DirectoryError as error:
            print(error)
    """
    assert (
        child(program, tmp_path)
        == "the temporary folder cannot be written (File too large); make room there, or set TMPDIR"
        " to another\n"
    )


@pytest.fixture
def rows(tmp_path: Path) -> Path:
    """A folder with a table of a user's own."""
    (tmp_path / "rows.csv").write_text("a,b\n" + "".join(f"{n},{n % 2}\n" for n in range(40)))
    return tmp_path


def test_an_output_that_is_full(rows: Path) -> None:
    with Path("/dev/full").open("w") as full:
        command = [SWEEPS, "new", "rows.csv", "--target", "b"]
        environ = {
            name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"
        }  # met at the end alone
        done = subprocess.run(
            command, cwd=rows, stdout=full, stderr=subprocess.PIPE, text=True, env=environ
        )
    assert sentence(done).startswith("sweeps: the output cannot be used (No space left on device)")


def test_half_an_experiment_file_is_not_left(rows: Path) -> None:
    done = Disk(rows).sweeps("new", "rows.csv", "--target", "b", room=600)
    assert "rows.toml cannot be written (File too large); make room" in sentence(done)
    assert [path.name for path in rows.iterdir()] == ["rows.csv"]
