"""The view: how MLflow's page shows a study's trials, as the page itself would keep it."""

import json
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

from experiments.records import StudyRecord, TrialRecord
from experiments.tracking import runs
from nnreg import LAMBDA_NAMES

TAG = (
    "mlflow.sharedViewState."  # MLflow's page keeps a view in a tag of the experiment, under a key
)
SHARED = "viewStateShareKey"  # what an address calls that key
KIND = {
    "mlflow.experimentKind": "custom_model_development"
}  # runs of trained models, not traces of a language model
ROWS = 100  # what the page loads at once, and all that its charts know until somebody asks for more
BEST = 10
NAME, CREATED, NOTE = "attributes.`Run Name`", "runDateAndNestInfo", "attributes.`Description`"
WIDTHS = {NAME: 140, CREATED: 140, NOTE: 260}  # pixels
DIGIT, MARGIN = 7, 28  # pixels of a digit, and of what stands around a number
DIGITS = 3  # of a lambda, that are seen
SHOW_ALL = "SHOW_ALL"


@dataclass(frozen=True)
class View:
    """A view, by the key that a link names; `name` is what MLflow's menu of views calls it, `made`
    is in milliseconds.
    """

    key: str
    name: str
    made: int
    state: dict[str, Any]

    @property
    def tag(self) -> tuple[str, str]:
        """The experiment's tag that holds it."""
        return TAG + self.key, json.dumps(
            {"name": self.name, "createdAt": self.made, "state": json.dumps(self.state)}
        )


@dataclass(frozen=True)
class Links:
    """The parts of addresses, after the server's, that open a study's trials as a table, best
    first, and as charts; the learning curves of the best beside the baseline's; the trials without
    a view, best first too; and the study's own run, where there is one.
    """

    trials: str
    charts: str
    curves: str
    plain: str
    study: str | None = None

    def at(self, url: str) -> "Links":
        """The same with the server's address in front."""
        return Links(
            **{name: part and f"{url.rstrip('/')}/{part}" for name, part in asdict(self).items()}
        )


def views(study: StudyRecord, compared_runs: Sequence[str] = ()) -> tuple[View, View]:
    """The trials as a table and as charts, and the learning curves of those that are compared, by
    the ids of their runs.
    """
    born = runs.milliseconds(study.trials[0].started) if study.trials else 0
    return (
        View(
            study.study_uid, study.study, born + 1, _trials(study)
        ),  # the page lists the newest one first
        View(
            f"{study.study_uid}-curves",
            f"{study.study}: learning curves",
            born,
            _curves(study, compared_runs),
        ),
    )


def compared(study: StudyRecord) -> list[TrialRecord]:
    """The trials whose learning curves are shown: the best ones, and the baseline."""
    best = study.ranked[:BEST]
    return best if study.baseline is None or study.baseline in best else [*best, study.baseline]


def links(
    study: StudyRecord, experiment_id: str, run_id: str | None, *, shared: bool = True
) -> Links:
    """The links to the views of a study, kept under their keys in the experiment of this id. Where
    the page shares no views they are plain: a page that does would leave out the view of an address
    that has a filter too.
    """
    charts, table = "&compareRunsMode=CHART", _trials(study)
    asked = {
        "searchFilter": table["searchFilter"],
        "orderByKey": table["orderByKey"],
        "orderByAsc": json.dumps(table["orderByAsc"]),
    }
    plain = f"{_runs(experiment_id)}&{urlencode(asked, quote_via=quote)}"
    trials, curves = (
        f"{_runs(experiment_id)}&{SHARED}={view.key}" if shared else plain for view in views(study)
    )
    return Links(
        trials=trials,
        charts=trials + charts,
        curves=curves + charts,
        plain=plain,
        study=_runs(experiment_id, f"/{run_id}") if run_id else None,
    )


def shares(page: Path) -> bool:
    """Whether an MLflow's page, of which this is the folder, opens views by their keys, as none
    promises for a later version. One that is not installed here is a server's, and is taken to.
    """
    scripts = list(page.rglob("*.js"))
    return not scripts or any(SHARED.encode() in script.read_bytes() for script in scripts)


def _runs(experiment_id: str, which: str = "") -> str:
    # Without the workflow MLflow's page opens on its pages for language models, whatever the
    # experiment's tags say.
    return f"#/experiments/{experiment_id}/runs{which}?workflowType=machine_learning"


def _table(study: StudyRecord, query: str) -> dict[str, Any]:
    """These runs alone, best first, the numbers that matter in front. What went wrong with a trial
    is in the last column.
    """
    numbers = dict.fromkeys(
        [study.objective, "val_accuracy", "data_loss", "regularization_loss", *LAMBDA_NAMES]
    )
    noted = [NOTE] if any(runs.trial_note(trial) for trial in study.trials) else []
    columns = [*(_metric(name) for name in numbers), *noted]
    return {
        "searchFilter": f"{query} and tags.study_uid = '{study.study_uid}'",
        "orderByKey": _metric(study.objective),
        "orderByAsc": not study.maximize,
        "selectedColumns": columns,
        "columnOrder": [NAME, CREATED, *columns],
        "columnWidths": {**WIDTHS, **{_metric(name): _width(study, name) for name in numbers}},
        "runsHiddenMode": SHOW_ALL,
        "isAccordionReordered": True,  # the sections in this order, not in that of the alphabet
    }


def _metric(name: str) -> str:
    return f"metrics.`{name}`"


def _width(study: StudyRecord, name: str) -> int:
    """Room for the name, and for the first digits of a lambda: the page writes numbers in full, and
    cuts them off.
    """
    longest = len(name) + (
        3 if name == study.objective else 1
    )  # it is sorted by that one, and says so with a mark
    if name in LAMBDA_NAMES:
        longest = max(
            [longest, *(_letters(getattr(trial.lambdas, name)) for trial in study.trials)]
        )
    return MARGIN + DIGIT * longest


def _letters(strength: float) -> int:
    """How many letters of a lambda must be seen. JavaScript writes one below 1e-6 with an exponent,
    at its end.
    """
    if 0 < strength < 1e-6:
        return len(repr(float(strength)))
    return len("0.") + DIGITS + (math.ceil(-math.log10(strength)) if 0 < strength < 1 else 0)


def _trials(study: StudyRecord) -> dict[str, Any]:
    searched = [name for name in LAMBDA_NAMES if name in study.experiment.lambdas.searched] or list(
        LAMBDA_NAMES
    )
    axes, objective = [f"log10_{name}" for name in searched], study.objective
    which = f"Best {ROWS} trials" if len(study.trials) > ROWS else "All trials"
    sections = [
        _section("together", which, columns=1),
        _section("apart", f"{which}, each lambda", columns=2),
    ]
    charts = [
        _chart(
            "PARALLEL",
            "together",
            "all",
            selectedParams=[],
            selectedMetrics=[*axes, objective],
            showAllRuns=True,
        ),
        *(
            _chart("SCATTER", "apart", axis, xaxis=_axis(axis), yaxis=_axis(objective))
            for axis in axes
        ),
    ]
    return {
        **_table(study, "tags.kind = 'trial'"),
        "compareRunSections": sections,
        "compareRunCharts": charts,
    }


def _curves(study: StudyRecord, run_ids: Sequence[str]) -> dict[str, Any]:
    listed = ", ".join(f"'{run_id}'" for run_id in run_ids)
    query = f"attributes.run_id IN ({listed})" if listed else "tags.kind = 'trial'"
    beside = " and the baseline" if study.baseline else ""
    sections = [_section("curves", f"Best {len(study.ranked[:BEST])}{beside}", columns=2)]
    metrics = dict.fromkeys([study.objective, "val_accuracy", "data_loss"])
    as_they_are = {"xAxisKey": "step", "lineSmoothness": 0}  # else the page smooths them
    charts = [
        _chart("LINE", "curves", name, metricKey=name, selectedMetricKeys=[name], **as_they_are)
        for name in metrics
    ]
    return {**_table(study, query), "compareRunSections": sections, "compareRunCharts": charts}


def _section(key: str, name: str, *, columns: int) -> dict[str, Any]:
    return {"uuid": key, "name": name, "display": True, "isReordered": True, "columns": columns}


def _chart(kind: str, section: str, name: str, **options: Any) -> dict[str, Any]:
    return {
        "type": kind,
        "uuid": f"{kind.lower()}-{name}",
        "metricSectionId": section,
        "runsCountToCompare": ROWS,
        "deleted": False,
        "isGenerated": False,
        **options,
    }


def _axis(metric: str) -> dict[str, str]:
    return {"key": metric, "type": "METRIC"}
