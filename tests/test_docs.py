"""The README and the pages of the documentation, followed word for word: each in an empty folder of its own."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

import pytest
from sklearn.datasets import load_iris

from tests.snippets import ROOT, Reader
from tests.warm import warm

FOLLOWED = [
    ROOT / "README.md",
    *(ROOT / "docs" / f"{name}.md" for name in ("index", "experiment-file", "python", "migration")),
]
MIGRATION = ROOT / "docs" / "migration"


@pytest.fixture(scope="module")
def programs() -> Iterator[Path]:
    with warm() as folder:
        yield folder


@pytest.mark.parametrize("page", FOLLOWED, ids=lambda page: page.stem)
def test_a_page(page: Path, programs: Path, tmp_path: Path) -> None:
    load_iris(as_frame=True).frame.rename(columns={"target": "class"}).to_csv(tmp_path / "rows.csv", index=False)
    with ExitStack() as stack:
        Reader(tmp_path, stack, programs).follow(page)


def test_the_script_of_scikit_learn_runs(tmp_path: Path) -> None:
    script = MIGRATION / "scikit_learn.py"
    done = subprocess.run([sys.executable, str(script)], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert "mlpclassifier__alpha" in done.stdout


@pytest.mark.parametrize("script", sorted(MIGRATION.glob("*.py")), ids=lambda script: script.stem)
def test_what_a_script_calls_is_there(script: Path) -> None:
    """`python -m docs.migration` runs them where their tools are installed; what is installed has the names that they use."""
    tree = ast.parse(script.read_text())
    compile(tree, str(script), "exec")
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module and find_spec(node.module.split(".")[0]):
            assert all(hasattr(import_module(node.module), name.name) for name in node.names)
