"""The page: one study as one HTML file that opens offline."""

import json
from pathlib import Path
from typing import Any

from experiments.records import StudyRecord, TrialRecord
from experiments.reports import figures, frames
from experiments.reports.files import write_whole
from nnreg import LAMBDA_NAMES

TOP_ROWS = 20


def write_page(study: StudyRecord, path: Path) -> Path:
    """Write the page of a study; the path written. Raises DirectoryError."""
    text = render(study)
    return write_whole(path, lambda temporary: temporary.write_text(text, encoding="utf-8"))


def render(study: StudyRecord) -> str:
    """The page of a study, as HTML with scripts, styles and numbers inside."""
    from jinja2 import Environment, PackageLoader
    from plotly.offline import get_plotlyjs

    environment = Environment(
        loader=PackageLoader("experiments.reports", "."), autoescape=True, trim_blocks=True, lstrip_blocks=True
    )
    drawn = {"lambdas": figures.lambdas(study), "curves": figures.curves(study), "search": figures.search(study)}
    return environment.get_template("page.html.j2").render(
        study=study,
        summary=frames.summary(study).iloc[0].to_dict(),
        lambdas=frames.lambdas(study).to_dict("records"),
        top=[_row(study, trial) for trial in study.ranked[:TOP_ROWS]],
        names=LAMBDA_NAMES,
        beyond=figures.beyond(study),
        objective=figures.OBJECTIVE_TITLES[study.objective],
        figures=[name for name, figure in drawn.items() if figure is not None],
        data=script_safe(
            json.dumps({name: json.loads(figure.to_json()) for name, figure in drawn.items() if figure is not None})
        ),
        plotly=get_plotlyjs(),
    )


def _row(study: StudyRecord, trial: TrialRecord) -> dict[str, Any]:
    return {"trial": trial.trial, "value": study.value(trial), "lambdas": trial.lambdas, "metrics": trial.metrics}


def script_safe(text: str) -> str:
    """JSON that cannot end the script element it stands in."""
    return text.replace("<", "\\u003c").replace("\u2028", "\\u2028").replace("\u2029", "\\u2029")
