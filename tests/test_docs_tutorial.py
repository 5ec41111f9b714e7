"""The tutorial, followed word for word in an empty folder, and the pages that go on there."""

import shutil
import warnings
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.snippets import ROOT, Reader
from tests.warm import warm

with warnings.catch_warnings(action="ignore"):  # of MLflow's own code, when it is imported first
    import mlflow.pyfunc  # which the tutorial uses  # noqa: F401

GUIDES = [
    *sorted((ROOT / "docs" / "commands").glob("*.md")),
    *(ROOT / "docs" / f"{name}.md" for name in ("tables", "optuna", "mlflow")),
]
pytestmark = pytest.mark.usefixtures("tracker_here")


@dataclass(frozen=True)
class Followed:
    """The folder in which the tutorial was followed, and how it was at the end of it."""

    folder: Path
    end: Path
    programs: Path

    def again(self) -> None:
        """Put the folder back to how it was, at the same place, which MLflow has written down."""
        shutil.rmtree(self.folder)
        shutil.copytree(self.end, self.folder)


@pytest.fixture(scope="module")
def followed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Followed]:
    folder, copies = tmp_path_factory.mktemp("tutorial"), tmp_path_factory.mktemp("copies")
    with warm() as programs:
        with ExitStack() as stack:
            Reader(folder, stack, programs).follow(ROOT / "docs" / "tutorial.md")
        yield Followed(folder, shutil.copytree(folder, copies / "end"), programs)


def test_the_tutorial(followed: Followed) -> None:
    assert (followed.end / "reports" / "cancer" / "report.html").exists()


@pytest.mark.parametrize("guide", GUIDES, ids=lambda page: page.stem)
def test_a_guide(guide: Path, followed: Followed) -> None:
    followed.again()
    with ExitStack() as stack:
        Reader(followed.folder, stack, followed.programs).follow(guide)
