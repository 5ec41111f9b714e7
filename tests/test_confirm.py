"""The confirmation from the outside: what `run` prints at its end, `confirm`, and a kill while it
trains.
"""

import json
import subprocess
from contextlib import suppress
from pathlib import Path

import pandas as pd
import pytest

from tests.commands import SWEEPS
from tests.commands import sweeps as command

EDITS = ("training.epochs=4", "sweep.baseline=2", "confirm.seeds=3", "confirm.top=2")
SMALL = ("iris", "--trials=6", "--workers=1", *(f"--set={edit}" for edit in EDITS))
NO_TRACKER = "--tracking-uri=http://127.0.0.1:9"  # nothing here is about MLflow
pytestmark = pytest.mark.usefixtures("tracker_here")


def sweeps(*arguments: str, cwd: Path, status: int = 0) -> subprocess.CompletedProcess[str]:
    return command(*arguments, NO_TRACKER, cwd=cwd, status=status)


def summary(folder: Path) -> dict[str, object]:
    return pd.read_csv(folder / "reports" / "iris" / "summary.csv").iloc[0].to_dict()


def confirmed(folder: Path) -> pd.DataFrame:
    return pd.read_csv(folder / "reports" / "iris" / "confirm.csv")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("confirmed")
    sweeps("run", *SMALL, cwd=folder)
    return folder


def test_sealed_then_opened_then_shown(folder: Path, tmp_path: Path) -> None:
    sealed = sweeps("run", *SMALL, "--keep-sealed", cwd=tmp_path)
    command = "sweeps confirm iris --open-test"
    tracker = "--tracking-uri http://127.0.0.1:9"
    assert f"test set still sealed; open it with: {command} {tracker}\n" in sealed.stdout
    page = (tmp_path / "reports" / "iris" / "report.html").read_text(encoding="utf-8")
    assert command in page
    assert f"{command} --" not in page  # which travels
    assert summary(tmp_path)["verdict"] == "sealed"
    assert pd.isna(summary(tmp_path)["openings"])
    opened = sweeps("confirm", "--open-test", cwd=tmp_path)
    assert "sealed" not in opened.stdout
    assert summary(tmp_path)["verdict"] in ("better", "worse", "same", "undecided")
    assert summary(tmp_path)["openings"] == 1
    pd.testing.assert_frame_equal(confirmed(tmp_path), confirmed(folder))
    again = sweeps("confirm", "iris", "--open-test", "--json", cwd=tmp_path)
    assert "networks" not in again.stderr  # nothing was trained
    told = json.loads(again.stdout)
    assert (told["verdict"], told["openings"]) == (summary(tmp_path)["verdict"], 1)


def test_killed_while_it_confirms(folder: Path, tmp_path: Path) -> None:
    """SIGKILL as soon as a network of the confirmation is on the study; the same command again ends
    as if nothing had happened.
    """
    journal = tmp_path / "studies" / "iris.journal"
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    with subprocess.Popen([SWEEPS, "run", *SMALL, NO_TRACKER], cwd=tmp_path, **quiet) as process:
        while process.poll() is None and not (
            journal.exists() and b"replicates:" in journal.read_bytes()
        ):
            with suppress(subprocess.TimeoutExpired):
                process.wait(0.005)
        process.kill()
    assert not (tmp_path / "reports").exists()
    sweeps("run", *SMALL, cwd=tmp_path)
    pd.testing.assert_frame_equal(confirmed(tmp_path), confirmed(folder))
    assert summary(tmp_path)["openings"] == 1


@pytest.mark.parametrize("key", ["seeds=1", "top=0", "margin=-1"])
def test_bad_input_is_one_sentence(folder: Path, key: str) -> None:
    error = sweeps("run", "iris", f"--set=confirm.{key}", cwd=folder, status=2).stderr
    assert f"confirm.{key.partition('=')[0]}" in error
    assert error.count("\n") == 1
