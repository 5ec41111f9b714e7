"""The temporary folder: none is left by a dead process, and none is taken from a live one."""

import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from experiments.temporary import temporary_folder
from tests.processes import started

PROGRAM = """
import sys
from experiments.temporary import temporary_folder
with temporary_folder() as folder:
    (folder / "x.npy").touch()
    print(folder, flush=True)
    sys.stdin.read()
"""


@pytest.fixture(autouse=True)
def parent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr(tempfile, "tempdir", None)
    return tmp_path


def test_folders_of_killed_processes_are_removed_and_others_are_not(parent: Path) -> None:
    (parent / "sweeps-mine").mkdir()
    (parent / "sweeps-mine.lock").touch()
    command = [sys.executable, "-c", PROGRAM]
    with started(command, stdin=-1) as killed, started(command, stdin=-1) as alive:
        assert killed.stdout
        assert alive.stdout
        left, kept = (Path(one.stdout.readline().strip()) for one in (killed, alive) if one.stdout)
        killed.kill()
        killed.wait()
        assert (left / "x.npy").exists()
        with temporary_folder() as ours:
            folders = {path for path in parent.iterdir() if path.is_dir()}
            assert folders == {parent / "sweeps-mine", kept, ours}
        assert (kept / "x.npy").exists()
        alive.communicate()
    assert {path.name for path in parent.iterdir()} == {"sweeps-mine", "sweeps-mine.lock"}


def test_no_folder_is_removed_while_it_is_made(parent: Path) -> None:
    def make(number: int) -> bool:
        with temporary_folder() as folder:
            (folder / "x.npy").touch()
            with temporary_folder():
                return (folder / "x.npy").exists()

    with ThreadPoolExecutor(8) as threads:
        assert all(threads.map(make, range(200)))
    assert list(parent.iterdir()) == []
