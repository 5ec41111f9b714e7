"""The page: one study as one HTML file that opens offline."""

import base64
import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from importlib.resources import files
from pathlib import Path
from typing import Any

from experiments.card import card
from experiments.experiment_file import catalog
from experiments.records import StudyRecord
from experiments.reports import block, figures
from experiments.reports.block import Table
from experiments.reports.files import write_whole
from experiments.reports.panels import OBJECTIVE_TITLES, Panel, axes
from experiments.reports.snippets import snippets
from nnreg import LAMBDA_NAMES

SCRIPTS = ("columns.js", "tables.js", "parallel.js", "page.js")
WORDS = {"keep": "keep", "drop": "drop", "undecided": "undecided", "sealed": "not tested yet"}
SHAPES = {
    **dict.fromkeys(LAMBDA_NAMES, "strength"),
    **dict.fromkeys(("val_accuracy", "balanced_val_accuracy", "train_accuracy"), "accuracy"),
    **dict.fromkeys(("trial", "role", "lambda", "state", "diverged", "edge", "fixed"), "text"),
    **dict.fromkeys(("importance", "top_off_share", "near_zero_weights"), "percent"),
    **dict.fromkeys(("low", "high", "top_low", "top_high"), "range"),
    **{"mlflow_run_id": "run", "best": "strength"},
}
"""How the columns of tables are written; others are numbers."""


def write_page(
    study: StudyRecord, path: Path, runs: Mapping[int, str] | None = None, server: str | None = None
) -> Path:
    """Write the page of a study; the path written. `runs` are the MLflow run ids by trial, `server`
    is the address of the MLflow server that has them, if one has. Raises DirectoryError.
    """
    text = render(study, runs, server)
    return write_whole(path, lambda temporary: temporary.write_text(text, encoding="utf-8"))


def render(
    study: StudyRecord, runs: Mapping[int, str] | None = None, server: str | None = None
) -> str:
    """The page of a study, as HTML with scripts, styles and numbers inside."""
    from jinja2 import Environment, PackageLoader
    from plotly.offline import get_plotlyjs

    environment = Environment(
        loader=PackageLoader("experiments.reports", "."),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    scripts = [get_plotlyjs(), *(own(name) for name in SCRIPTS)]
    tables = block.tables(study, runs or {})
    drawn = figures.figures(study, tables)
    data = {
        "names": LAMBDA_NAMES,
        "axes": axes(study),
        "objective": study.objective,
        "maximize": study.maximize,
        "server": server,
        "tables": tables,
        "views": _views(tables, study),
        "figures": {
            name: [_panel(panel) for panel in figure.panels] for name, figure in drawn.items()
        },
    }
    return environment.get_template("page.html.j2").render(
        study=study,
        card=card(study),
        words=WORDS,
        names=LAMBDA_NAMES,
        objective=OBJECTIVE_TITLES[study.objective],
        figures=drawn,
        beyond=len(tables["trials"]["rows"]["beyond"]),
        few=block.BEST_SHOWN if "rest" in tables else None,
        diverged=sum(trial.diverged for trial in study.trials),
        curves_title=_curves_title(tables),
        snippets=snippets(study),
        runs=runs,
        server=server,
        source=study.experiment.name
        if study.experiment.name in catalog()
        else f"{study.experiment.name}.toml",
        spec=study.experiment.model_dump_json(indent=2),
        data=script_safe(
            json.dumps(data, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
        ),
        css=own("page.css"),
        scripts=scripts,
        hashes=" ".join(
            _hash(script) for script in scripts
        ),  # no other script runs, whatever the data hold
    )


def _hash(script: str) -> str:
    """A script as a Content-Security-Policy names it (W3C, Content Security Policy Level 3, section
    2.3.1).
    """
    return f"'sha256-{base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()}'"


def _curves_title(tables: Mapping[str, Table]) -> str:
    if "curves_recommended" in tables:
        return "Learning curves: recommended against no regularization"
    return (
        "Learning curves:"
        f" {'best against no regularization' if 'curves_best' in tables else 'no regularization'}"
    )


def own(name: str) -> str:
    """A file of the page's own, as text."""
    return (files("experiments.reports") / name).read_text(encoding="utf-8")


def _panel(panel: Panel) -> dict[str, Any]:
    return {
        key: value for key, value in asdict(panel).items() if key in ("data", "layout", "height")
    }


def _views(tables: Mapping[str, Table], study: StudyRecord) -> dict[str, Any]:
    """What the tables of the page show, in which order."""
    first = ["trial", study.objective, *LAMBDA_NAMES]
    names = [*first, *(name for name in tables["trials"]["columns"] if name not in first)]
    views = {"trials": _view("trials", names) | {"sort": study.objective, "down": study.maximize}}
    axis = [
        "lambda",
        "best",
        "low",
        "high",
        "top_low",
        "top_high",
        "top_off_share",
        "importance",
        "edge",
    ]
    views["lambdas"] = _view("lambdas", axis)
    if "settings" in tables:
        views["settings"] = _view(
            "settings",
            ["role", "trial", *LAMBDA_NAMES, "mean", "behind", "error"],
            mean=study.objective,
        )
    return views


def _view(table: str, names: Sequence[str], **like: str) -> dict[str, Any]:
    """`like`: columns that are written as another is."""
    return {
        "table": table,
        "columns": [(name, SHAPES.get(like.get(name, name), "number")) for name in names],
    }


def script_safe(text: str) -> str:
    """JSON that cannot end the script element it stands in."""
    return text.replace("<", "\\u003c").replace("\u2028", "\\u2028").replace("\u2029", "\\u2029")
