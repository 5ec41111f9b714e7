"""The links to a study on MLflow's page, whether or not its version knows views. In a browser:
tests/test_mlflow_page.py.
"""

from pathlib import Path
from urllib.parse import parse_qs

import pytest

from experiments.tracking import view
from experiments.tracking.client import page_folder
from tests.studies import make_study

STUDY = make_study(3)


def test_the_page_that_is_installed_opens_views_by_their_keys() -> None:
    assert list(page_folder().rglob("*.js"))
    assert view.shares(page_folder())


@pytest.mark.parametrize(
    ("scripts", "known"),
    [
        ({}, True),  # a server's
        ({"main.js": "?workflowType=machine_learning"}, False),
        (
            {
                "main.js": "?workflowType=machine_learning",
                "3878.chunk.js": 'a.get("viewStateShareKey")',
            },
            True,
        ),
    ],
)
def test_a_page_whose_scripts_do_not_name_the_key_opens_none(
    tmp_path: Path, scripts: dict[str, str], known: bool
) -> None:
    folder = tmp_path / "build" / "static"
    folder.mkdir(parents=True)
    for name, text in scripts.items():
        (folder / name).write_text(text)
    assert view.shares(tmp_path) == known


def test_where_views_are_ignored_every_link_is_filtered_and_sorted() -> None:
    links = view.links(STUDY, "1", "abc", shared=False)
    assert links.trials == links.plain
    for link in (links.trials, links.charts, links.curves):
        asked = parse_qs(link.partition("?")[2])
        assert asked["searchFilter"] == [
            f"tags.kind = 'trial' and tags.study_uid = '{STUDY.study_uid}'"
        ]
        assert (asked["orderByKey"], asked["orderByAsc"]) == (["metrics.`val_accuracy`"], ["false"])
        assert "viewStateShareKey" not in asked
    assert "viewStateShareKey" in view.links(STUDY, "1", "abc").trials
