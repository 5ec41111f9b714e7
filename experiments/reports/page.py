"""The page: one study as one HTML file that opens offline."""

import base64
import hashlib
from collections.abc import Mapping
from dataclasses import asdict
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING

from experiments.card import card, strength
from experiments.experiment_file import catalog
from experiments.records import COMPLETE, StudyRecord
from experiments.reports import frames
from experiments.reports.figures import figures
from experiments.reports.files import write_whole
from experiments.reports.shown import ALL_SHOWN, BEST_SHOWN, Shown, in_words
from experiments.reports.snippets import snippets
from experiments.verdict import Verdict
from nnreg import LAMBDA_NAMES

if TYPE_CHECKING:
    import pandas as pd
    from jinja2 import Environment

WORDS = {"keep": "keep", "drop": "drop", "undecided": "undecided", "sealed": "not tested yet"}
LEFT = ("role", "lambda", "state", "edge", "mlflow_run_id")  # columns of text
METRICS = (
    *("val_accuracy", "balanced_val_accuracy", "val_data_loss", "data_loss"),
    *("regularization_loss", "train_accuracy", "near_zero_weights"),
)


def percent(share: float) -> str:
    """A share as people read it."""
    return f"{100 * share:.2g} %"


FORMATS = (
    dict.fromkeys((*LAMBDA_NAMES, "best"), strength)
    | dict.fromkeys(("low", "high", "top_low", "top_high"), "{:.2g}".format)
    | dict.fromkeys(("near_zero_weights", "top_off_share", "importance"), percent)
    | dict.fromkeys((*METRICS[:2], "train_accuracy", "mean"), "{:.4f}".format)
)
"""How the columns of tables are written; other numbers have four digits."""


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
    """The page of a study, as HTML with its style, its script and all numbers inside."""
    shown, script = Shown(study), own("page.js")
    name = study.experiment.name
    return (
        environment()
        .get_template("page.html.j2")
        .render(
            study=study,
            shown=shown,
            card=card(study),
            words=WORDS,
            names=LAMBDA_NAMES,
            figures=figures(shown),
            trials=trials_table(shown, runs),
            settings=settings_table(study.verdict) if study.verdict else None,
            lambdas=frames.lambdas(study).drop(columns=["fixed", "off_decades"]),
            beyond=len(shown.kinds[shown.worse_shape, "trial"]),
            few=BEST_SHOWN if len(study.trials) > ALL_SHOWN else None,
            left=LEFT,
            diverged=sum(trial.diverged for trial in study.trials),
            snippets=snippets(study),
            runs=runs,
            server=server,
            source=name if name in catalog() else f"{name}.toml",
            css=own("page.css"),
            script=script,
            # no other script runs, whatever the data hold (Content Security Policy 3, section 2.3.1)
            hash=base64.b64encode(hashlib.sha256(script.encode()).digest()).decode(),
        )
    )


def environment() -> "Environment":
    """What reads the templates of this folder."""
    from jinja2 import Environment, PackageLoader

    made = Environment(
        loader=PackageLoader("experiments.reports", "."),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters["as_shown"] = as_shown
    return made


def own(name: str) -> str:
    """A file of the page's own, as text."""
    return (files("experiments.reports") / name).read_text(encoding="utf-8")


def as_shown(value: str | float | None, column: str) -> str:
    """A value as a table of the page has it."""
    import pandas as pd

    if pd.isna(value):
        return ""
    if isinstance(value, float):
        return FORMATS.get(column, "{:.4g}".format)(value)
    return str(value).lower() if isinstance(value, bool) else str(value)


def trials_table(shown: Shown, runs: Mapping[int, str] | None) -> "pd.DataFrame":
    """The trials that are shown, the best first, with what is most asked for."""
    study = shown.study
    frame = frames.trials(study, runs).set_index("trial", drop=False)
    sometimes = {
        "diverged": any(frame["diverged"]),
        "state": any(frame["state"] != COMPLETE),
        "mlflow_run_id": bool(runs),
    }
    columns = dict.fromkeys(("trial", study.objective, *LAMBDA_NAMES, *METRICS))
    columns |= dict.fromkeys(name for name, is_there in sometimes.items() if is_there)
    failed = [trial for trial in study.trials if trial.state != COMPLETE]
    rows = [one.trial for one in [*shown.ranked, *failed] if one.trial in shown.numbers]
    return frame.loc[rows, list(columns)]


def settings_table(verdict: Verdict) -> "pd.DataFrame":
    """The settings of the confirmation and their means over the fresh seeds."""
    import pandas as pd

    frame = pd.DataFrame(
        {"role": in_words(one.role), "trial": one.trial}
        | asdict(one.lambdas)
        | {"mean": one.mean, "behind": one.behind, "error": one.error}
        for one in verdict.settings
    )
    return frame.astype({"trial": "Int64"})
