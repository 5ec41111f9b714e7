"""The README and the pages of the documentation, followed word for word in one folder."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from sklearn.datasets import load_iris

from tests.snippets import ROOT, Reader
from tests.warm import warm

PAGES = ("index", "experiment-file", "small-tables", "python", "scikit-learn", "migration")
FOLLOWED = [ROOT / "README.md", *(ROOT / "docs" / f"{name}.md" for name in PAGES)]
pytestmark = pytest.mark.usefixtures("tracker_here")


@pytest.fixture(scope="module")
def programs() -> Iterator[Path]:
    with warm() as folder:
        yield folder


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """With a user's table in it. Each page needs nothing of the pages before it."""
    folder = tmp_path_factory.mktemp("pages")
    frame = load_iris(as_frame=True).frame.rename(columns={"target": "class"})
    frame.to_csv(folder / "rows.csv", index=False)
    return folder


@pytest.mark.parametrize("page", FOLLOWED, ids=lambda page: page.stem)
def test_a_page(page: Path, programs: Path, folder: Path) -> None:
    with ExitStack() as stack:
        Reader(folder, stack, programs).follow(page)


def test_the_script_for_scikit_learn_runs() -> None:
    """The scripts for other tools need large packages: `python -m docs.migration`, by hand."""
    command = [sys.executable, "-m", "docs.migration", "--short", "scikit_learn"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout
    assert "alpha" in done.stdout
