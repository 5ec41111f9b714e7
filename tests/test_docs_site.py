"""The documentation's site builds without a warning, and every snippet has its test."""

import dataclasses
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from experiments.reports import files, frames
from experiments.tracking import plan, registry
from tests.browser import browser
from tests.needs import needs_module
from tests.snippets import PAGES, ROOT, RUN, snippets
from tests.studies import OWN_CURVE, confirmed_study, own_study

OUTSIDE = re.compile(
    r"<(?:script|link|img|source|iframe)[^>]*?(?:src|href)=\"?(?:https?:)?//[^>]*>"
    r"|(?:@import|url\()\s*[\"']?(?:https?:)?//[^)]*"
)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The site, built as `mkdocs build --strict` builds it."""
    needs_module("mkdocs")
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(folder)]
    quiet = {**os.environ, "NO_MKDOCS_2_WARNING": "1"}  # what the theme says about another product
    built = subprocess.run(command, cwd=ROOT, env=quiet, capture_output=True, text=True)
    assert built.returncode == 0, built.stderr
    assert "WARNING" not in built.stderr
    return folder


def test_every_page_is_there_and_has_nothing_from_outside(site: Path) -> None:
    for page in PAGES[1:]:
        assert site.joinpath(page.relative_to(ROOT / "docs")).with_suffix(".html").exists()
    assert not [path for path in site.rglob("*") if path.suffix in (".py", ".toml", ".pyc")]
    for page in [*site.rglob("*.html"), *site.rglob("*.css")]:
        assert OUTSIDE.findall(page.read_text()) == [], page.name
    # What docstrings have between angles is no HTML.
    assert "reports/&lt;study&gt;/" in (site / "python.html").read_text()
    # The name of the experiment, the source of its data, that of a network.
    assert (site / "experiment-file.html").read_text().count("<td>required</td>") == 3


def test_the_search_works_from_files(site: Path, tmp_path: Path) -> None:
    with browser(tmp_path) as window:
        window.open((site / "commands" / "run.html").as_uri())
        field = window.driver.find_element("css selector", "input.md-search__input")
        field.click()
        field.send_keys("undertrained")
        found = window.wait_for(lambda: window.texts(".md-search-result__link"))
        assert any("Train it well" in text for text in found)


WIDTH = 100  # columns, as docs/site.css says
CLUSTER = ("bash", "yaml", "sql")  # of files that docs/cluster.md shows
NOT_RUN = {
    "README.md": 2,  # the two commands that make an environment
    "docs/index.md": 1,  # the same
    "docs/optuna.md": 1,  # the server of another package
    "docs/commands/sync.md": 1,  # it names a server
}


def test_what_is_not_run_is_counted_and_says_why() -> None:
    found = [one for page in PAGES for one in snippets(page) if one.language in RUN]
    left_out = [one for one in found if "not run" in one.marks]
    assert all(one.marks["not run"] for one in left_out)
    counted = [str(one.page.relative_to(ROOT)) for one in left_out]
    assert {page: counted.count(page) for page in counted} == NOT_RUN


def test_every_block_says_what_it_is() -> None:
    known = {*RUN, "text", "math", *CLUSTER}
    found = [one for page in PAGES for one in snippets(page)]
    assert [one.place for one in found if one.language not in known] == []


def test_every_line_of_a_block_fits_the_page() -> None:
    shown = [one for page in PAGES[1:] for one in snippets(page) if one.language != "math"]
    assert [one.place for one in shown if widest(one.text) > WIDTH] == []


def widest(text: str) -> int:
    return max(map(len, text.splitlines()), default=0)


def test_every_page_has_its_test() -> None:
    with_snippets = {page for page in PAGES if any(one.language in RUN for one in snippets(page))}
    from tests import test_cluster_docs, test_docs, test_docs_own_network, test_docs_tutorial

    followed = {*test_docs.FOLLOWED, *test_docs_tutorial.GUIDES, *test_docs_own_network.FOLLOWED}
    assert with_snippets <= followed | {test_cluster_docs.PAGE, ROOT / "docs" / "tutorial.md"}


def test_the_columns_of_an_own_network_are_in_the_page_of_the_tables() -> None:
    study = confirmed_study(own_study(parameters={"NAME": {"low": 1, "high": 9}}))
    page = (ROOT / "docs" / "tables.md").read_text().splitlines()
    for table in (*files.ALWAYS, *files.CONFIRMED):
        more = set(getattr(frames, table)(study)) - set(getattr(frames, table.upper()))
        for column in more - {OWN_CURVE}:
            rows = [row for row in page if row.startswith("| ") and f"`{table}.csv`" in row]
            assert any(f"`{column}`" in row for row in rows), (table, column)


def test_every_tag_has_its_meaning_and_no_other() -> None:
    born = {"command": "sweeps run digits", "commit": "0123456789" * 4, "user": "somebody"}
    study = dataclasses.replace(
        confirmed_study(), provenance=born, mixed_hardware=("numpy: 2.4.0 -> 2.4.1",), unseeded="x"
    )
    told = [one.tags for one in plan.plans(study)]
    told += [dict.fromkeys((registry.ORIGIN, registry.CONFIRMED), "")]  # of a model's version
    meanings = tomllib.loads((ROOT / "docs" / "meanings.toml").read_text())["tags"]
    there = {name for tags in told for name in tags} - set(study.versions) | {"mlflow.note.content"}
    assert there == set(meanings)
