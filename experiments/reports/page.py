"""The page: one study as one HTML file that opens offline."""

import base64
import hashlib
from collections.abc import Callable, Mapping
from functools import partial
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING

from markdown_it import MarkdownIt

from experiments.card import card
from experiments.cautions import begun, no_verdict, unseeded
from experiments.measures import percent, strength
from experiments.records import StudyRecord
from experiments.reports import frames, headline
from experiments.reports.figures import figures
from experiments.reports.outer_folds import outer_folds
from experiments.reports.shown import Shown
from experiments.reports.snippets import snippets, template, unbroken
from experiments.validation import folds, judged, networks
from experiments.verdict import RECOMMENDED
from experiments.wording import command_line, quoted
from experiments.writing import write_text
from nnreg import LAMBDA_NAMES

if TYPE_CHECKING:
    import pandas as pd

METRICS = (
    *("val_accuracy", "balanced_val_accuracy", "val_data_loss", "data_loss"),
    *("regularization_loss", "train_accuracy", "near_zero_weights"),
)


def points(difference: float) -> str:
    """For example `1.25 points`, of accuracies."""
    return f"{difference * 100:.2f} points"


FORMATS = (
    dict.fromkeys((*LAMBDA_NAMES, "learning_rate", "baseline_learning_rate", "best"), strength)
    | dict.fromkeys(("low", "high", "top_low", "top_high"), "{:.2g}".format)
    | dict.fromkeys(("near_zero_weights", "top_off_share", "importance"), percent)
    | dict.fromkeys((*METRICS[:2], "train_accuracy"), partial(percent, digits=2))
)
"""How the columns of tables are written; other numbers have four digits."""
OF_ACCURACY: Mapping[str, Callable[[float], str]] = {
    **dict.fromkeys(("mean", "with_penalties", "without"), partial(percent, digits=2)),
    **dict.fromkeys(
        ("behind", "error", "difference", *(f"{name}_sd" for name in METRICS[:2])), points
    ),
}
"""How those are that have the objective's unit, where it is an accuracy."""


def write_page(
    study: StudyRecord, path: Path, runs: Mapping[int, str] | None = None, server: str | None = None
) -> Path:
    """Write the page of a study; the path written. `runs` are the MLflow run ids by trial, `server`
    is the address of the MLflow server that has them, if one has. Raises DirectoryError.
    """
    return write_text(render(study, runs, server), path)


def render(
    study: StudyRecord, runs: Mapping[int, str] | None = None, server: str | None = None
) -> str:
    """The page of a study, as HTML with its style, its script and all numbers inside."""
    shown, script = Shown(study), own("page.js")
    return template("page.html.j2", escaped=True).render(
        study=study,
        shown=shown,
        card=card(study),
        no_verdict=no_verdict(study),
        unseeded=unseeded(study) if study.unseeded else "",
        strength=strength,
        as_shown=partial(as_shown, {**FORMATS, **(OF_ACCURACY if shown.percent else {})}),
        figures=figures(shown),
        counted=headline.trials(study),
        numbers=headline.numbers(study),
        chart=headline.chart(shown),
        facts=headline.facts(study),
        trials=trials_table(shown, runs),
        settings=settings_table(shown),
        outer=outer_folds(study).drop(columns=["study", "fold"]),
        lambdas=frames.lambdas(study).drop(columns=["fixed", "off_decades"]),
        snippets=snippets(study),
        runs=runs,
        server=server,
        reading=reading(),
        begun=begun(study),
        quoted=quoted,
        folds=folds(study.experiment),
        judged=judged(study.experiment),
        networks=networks(study.experiment, len(study.verdict.seeds)) if study.verdict else "",
        css=own("page.css"),
        script=script,
        # no other script runs, whatever the data hold (Content Security Policy 3, 2.3.1)
        hash=base64.b64encode(hashlib.sha256(script.encode()).digest()).decode(),
    )


def for_notebook(study: StudyRecord, options: str = "") -> str:
    """The card of a study as HTML without a style; `options` go behind commands."""
    return template("notebook.html.j2", escaped=True).render(
        study=study,
        trials=headline.trials(study),
        card=card(study, options),
        no_verdict=no_verdict(study, options),
        confirm=command_line("confirm", study.study) + options,
    )


def reading() -> str:
    """How to read the verdict, as HTML: the documentation's own page, without links to others."""
    markdown = MarkdownIt().enable("table")
    for end in ("link_open", "link_close"):
        markdown.add_render_rule(end, lambda *_: "")
    parsed = markdown.parse(unbroken(own("reading.md")))[3:]  # the page has a heading of its own,
    tokens = [token for token in parsed if token.type != "fence"]  # and a card
    for token in tokens:
        token.tag = "h3" if token.tag == "h2" else token.tag
    return str(markdown.renderer.render(tokens, markdown.options, {}))


def own(name: str) -> str:
    """A file of the page's own, as text."""
    return (files("experiments.reports") / name).read_text(encoding="utf-8")


def as_shown(
    formats: Mapping[str, Callable[[float], str]], column: str, value: str | float | None
) -> str:
    """A value as a table of the page has it."""
    import pandas as pd

    if pd.isna(value):
        return ""
    if isinstance(value, float):
        return formats.get(column, "{:.4g}".format)(value)
    return str(value).lower() if isinstance(value, bool) else str(value)


def trials_table(shown: Shown, runs: Mapping[int, str] | None) -> "pd.DataFrame":
    """The trials that are shown: the complete ones, the best first, then the others."""
    study = shown.study
    frame = frames.trials(study, runs).set_index("trial", drop=False)
    known = [name for name in METRICS if frame[name].notna().any()]
    setting = study.experiment.setting_columns
    deviation = [f"{study.objective}_sd"] * bool(study.experiment.folds)
    first = ("trial", "role", study.objective, *deviation)
    columns = [*dict.fromkeys((*first, *setting, *known))]
    columns += ["best_epoch", "diverged"]
    frame.insert(1, "role", [shown.roles(trial) for trial in study.trials])
    columns += ["state"] if shown.others else []
    columns += ["mlflow_run_id"] if runs else []
    return frame.loc[[trial.trial for trial in [*shown.ranked, *shown.others]], columns]


def settings_table(shown: Shown) -> "pd.DataFrame":
    """The settings of the confirmation with their means over the fresh seeds."""
    import pandas as pd

    columns = ["role", "trial", *shown.study.experiment.setting_columns, "best_epoch"]
    columns += ["mean", "behind", "error"]
    verdict = shown.study.verdict
    settings = verdict.settings if verdict else ()
    rows = [
        vars(one) | one.setting.numbers | {"role": shown.role(one)}
        for one in settings
        if one.role != RECOMMENDED or one.setting.on  # else it is the baseline, which has a row
    ]
    return pd.DataFrame(rows, columns=columns).astype({"trial": "Int64"})
