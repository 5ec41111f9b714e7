"""The README and the pages of the documentation, followed word for word: each in an empty folder of its own."""

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from sklearn.datasets import load_iris

from tests.snippets import ROOT, Reader
from tests.warm import warm

FOLLOWED = [
    ROOT / "README.md",
    *(ROOT / "docs" / f"{name}.md" for name in ("index", "experiment-file", "tables", "python", "migration")),
]


@pytest.fixture(scope="module")
def programs() -> Iterator[Path]:
    with warm() as folder:
        yield folder


@pytest.mark.parametrize("page", FOLLOWED, ids=lambda page: page.stem)
def test_a_page(page: Path, programs: Path, tmp_path: Path) -> None:
    load_iris(as_frame=True).frame.rename(columns={"target": "class"}).to_csv(tmp_path / "rows.csv", index=False)
    with ExitStack() as stack:
        Reader(tmp_path, stack, programs).follow(page)
