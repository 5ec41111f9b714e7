"""The views: how MLflow's page shows a study, kept as the page itself keeps the views that people
share; and the description of its experiment. See
docs/decisions/0016-views-as-mlflows-page-keeps-them.md.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlencode

from experiments.records import StudyRecord, TrialRecord
from experiments.reports.markdown import merged_note
from experiments.tracking.plan import ANSWER, LOG10, RANKING, STUDY, milliseconds, trial_note
from experiments.tracking.runs import NOTE as DESCRIPTION
from nnreg import LAMBDA_NAMES

if TYPE_CHECKING:
    from mlflow import MlflowClient

DESCRIBED = 10  # studies in the description of an experiment
TAG = "mlflow.sharedViewState."  # of the experiment, followed by the key of a view
SHARED = "viewStateShareKey"  # what an address calls that key
# Runs of trained models, not traces of a language model.
KIND = {"mlflow.experimentKind": "custom_model_development"}
ROWS = 100  # that the page loads at once, and all that its charts show until somebody asks for more
BEST = 10
WIDEST = 190  # pixels, of the column of a user's own parameter
MOST_CURVES = 6  # of a user's own
NAME, CREATED, NOTE = "attributes.`Run Name`", "runDateAndNestInfo", "attributes.`Description`"


@dataclass(frozen=True)
class Links:
    """The parts of addresses, after the server's, that open a study's trials as a table and as
    charts, the learning curves of the best, the trials without a view, and the study's own run.
    """

    trials: str
    charts: str
    curves: str
    plain: str
    study: str | None = None

    def at(self, url: str) -> "Links":
        parts = asdict(self).items()
        return Links(**{name: part and f"{url.rstrip('/')}/{part}" for name, part in parts})


def compared(study: StudyRecord) -> list[TrialRecord]:
    """The trials whose learning curves are shown: the best ones, and the baseline."""
    best = study.ranked[:BEST]
    return best if study.baseline is None or study.baseline in best else [*best, study.baseline]


def describe(
    client: "MlflowClient", experiment_id: str, study: StudyRecord, compared_runs: Sequence[str]
) -> None:
    """Keep the views of a study in the experiment, and in its description, which MLflow's home page
    shows, the answers of the latest studies. What people wrote below them stays.
    """
    there = client.get_experiment(experiment_id).tags
    wanted = KIND | there | _tags(study, compared_runs)
    studies = client.search_runs(
        [experiment_id], f"tags.kind = '{STUDY}'", order_by=["attributes.end_time DESC"]
    )
    told = [run.data.tags for run in studies if ANSWER in run.data.tags]
    if told:
        answers = [f"{one['study']}: {one[ANSWER]}" for one in told[:DESCRIBED]]
        text = "\n\n".join(answers) if told[1:] else told[0][ANSWER]
        wanted[DESCRIPTION] = merged_note(text, there.get(DESCRIPTION, ""))
    for key, value in wanted.items():
        if there.get(key) != value:
            client.set_experiment_tag(experiment_id, key, value)


def _tags(study: StudyRecord, compared_runs: Sequence[str]) -> dict[str, str]:
    """The tags of the experiment with the views of a study."""
    born = milliseconds(study.trials[0].started) if study.trials else 0
    listed = ", ".join(f"'{run_id}'" for run_id in compared_runs)
    query = f"attributes.run_id IN ({listed})" if listed else "tags.kind = 'trial'"
    curves = _table(study, query) | _curves(study)
    views = {  # the page lists the newest one first
        study.study_uid: (study.study, born + 1, _table(study) | _charts(study)),
        f"{study.study_uid}-curves": (f"{study.study}: learning curves", born, curves),
    }
    return {
        TAG + key: json.dumps({"name": name, "createdAt": made, "state": json.dumps(state)})
        for key, (name, made, state) in views.items()
    }


def links(study: StudyRecord, experiment_id: str, run_id: str | None) -> Links:
    """The links to the views of a study in the experiment of this id."""
    # Without the workflow MLflow's page opens on its pages for language models.
    workflow, charts = "workflowType=machine_learning", "&compareRunsMode=CHART"
    runs, table = f"#/experiments/{experiment_id}/runs", _table(study)
    asked = {name: table[name] for name in ("searchFilter", "orderByKey")}
    asked["orderByAsc"] = json.dumps(table["orderByAsc"])
    trials = f"{runs}?{workflow}&{SHARED}={study.study_uid}"
    return Links(
        trials=trials,
        charts=trials + charts,
        curves=f"{trials}-curves{charts}",
        plain=f"{runs}?{workflow}&{urlencode(asked, quote_via=quote)}",
        study=f"{runs}/{run_id}?{workflow}" if run_id else None,
    )


def _table(study: StudyRecord, query: str = "tags.kind = 'trial'") -> dict[str, Any]:
    """These runs alone, best first: first the numbers that matter, last what went wrong."""
    setting = (*LAMBDA_NAMES, *study.experiment.nuisances)
    numbers = dict.fromkeys([study.objective, *setting, "val_accuracy", "data_loss"])
    measured = [one.metrics for one in study.trials if one.metrics]
    if not study.experiment.own or any("regularization_loss" in one.known for one in measured):
        numbers |= {"regularization_loss": None}
    columns = [f"metrics.`{name}`" for name in numbers]
    if any(trial_note(trial) for trial in study.trials):
        columns.append(NOTE)
    # In pixels: room for the name, and for a lambda that is written in full and cut off. They fit
    # into a window of 1,440, the learning rate included.
    widths = {NAME: 120, CREATED: 140, NOTE: 260} | {
        f"metrics.`{name}`": 140 if name in LAMBDA_NAMES else min(50 + 7 * len(name), WIDEST)
        for name in numbers
    }
    return {
        "searchFilter": f"{query} and tags.study_uid = '{study.study_uid}'",
        "orderByKey": f"metrics.`{RANKING}`",
        "orderByAsc": False,
        "selectedColumns": columns,
        "columnOrder": [NAME, CREATED, *columns],
        "columnWidths": widths,
        "runsHiddenMode": "SHOW_ALL",
        "isAccordionReordered": True,  # the sections in this order, not in that of the alphabet
    }


def _charts(study: StudyRecord) -> dict[str, Any]:
    searched = study.experiment.searched.items()
    axes = [(LOG10 if axis.is_log else "") + name for name, axis in searched]
    which = f"Best {ROWS} trials" if len(study.trials) > ROWS else "All trials"
    numbers = [*axes, study.objective]
    axis_of = {name: {"key": name, "type": "METRIC"} for name in numbers}
    together = {"selectedParams": [], "selectedMetrics": numbers, "showAllRuns": True}
    each = {axis: {"xaxis": axis_of[axis], "yaxis": axis_of[study.objective]} for axis in axes}
    return _sections(
        (which, 1, "PARALLEL", {"all": together}), (f"{which}, each axis", 2, "SCATTER", each)
    )


def _curves(study: StudyRecord) -> dict[str, Any]:
    beside = " and the baseline" if study.baseline else ""
    unsmoothed = {"xAxisKey": "step", "lineSmoothness": 0}  # else the page smooths them
    own = study.own_curves[:MOST_CURVES]
    names = dict.fromkeys([study.objective, "val_accuracy", "data_loss", *own])
    curves = {
        name: {"metricKey": name, "selectedMetricKeys": [name], **unsmoothed} for name in names
    }
    return _sections((f"Best {len(study.ranked[:BEST])}{beside}", 2, "LINE", curves))


def _sections(*sections: tuple[str, int, str, Mapping[str, Mapping[str, Any]]]) -> dict[str, Any]:
    return {
        "compareRunSections": [
            {"uuid": kind, "name": name, "display": True, "isReordered": True, "columns": columns}
            for name, columns, kind, _ in sections
        ],
        "compareRunCharts": [
            {
                "type": kind,
                "uuid": f"{kind.lower()}-{chart}",
                "metricSectionId": kind,
                "runsCountToCompare": ROWS,
                "deleted": False,
                "isGenerated": False,
                **options,
            }
            for _, _, kind, charts in sections
            for chart, options in charts.items()
        ],
    }
