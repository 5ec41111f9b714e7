"""The README and the pages of the documentation, followed word for word, one after the other in a
folder that was empty.
"""

import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from sklearn.datasets import load_iris

from docs.migration.__main__ import NEEDS, main
from tests.needs import needs_package
from tests.snippets import ROOT, Reader
from tests.warm import warm

FOLLOWED = [
    ROOT / "README.md",
    *(
        ROOT / "docs" / f"{name}.md"
        for name in ("index", "experiment-file", "python", "scikit-learn", "migration")
    ),
]
pytestmark = pytest.mark.usefixtures("tracker_here")
# What each prints at its end; W&B's would on its own page.
FOUND = {
    "scikit_learn": "alpha",
    "ray_tune_search": "alpha",
    "keras_tuner_search": "weight_l2",
    "wandb_sweeps": "",
}


@pytest.fixture(scope="module")
def programs() -> Iterator[Path]:
    with warm() as folder:
        yield folder


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """With somebody's table in it. A page finds the studies of those before it, and needs none: it
    is only sooner done.
    """
    folder = tmp_path_factory.mktemp("pages")
    load_iris(as_frame=True).frame.rename(columns={"target": "class"}).to_csv(
        folder / "rows.csv", index=False
    )
    return folder


@pytest.mark.parametrize("page", FOLLOWED, ids=lambda page: page.stem)
def test_a_page(page: Path, programs: Path, folder: Path) -> None:
    with ExitStack() as stack:
        Reader(folder, stack, programs).follow(page)


@pytest.mark.parametrize("script", NEEDS)
def test_the_script_of_another_tool_runs(script: str) -> None:
    needs_package(NEEDS[script])
    done = subprocess.run(
        [sys.executable, "-m", "docs.migration", "--short", script],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    assert re.fullmatch(rf"{script}: ran in \d+ s: .*{FOUND[script]}.*\n", done.stdout)


def test_a_script_that_is_not_there_is_one_sentence(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.argv", ["docs.migration", "hyperopt"])
    with pytest.raises(SystemExit, match="2"):
        main()
    assert f"there is no script hyperopt; there are {', '.join(NEEDS)}\n" in capsys.readouterr().err
