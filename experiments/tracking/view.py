"""The view: how MLflow's page shows the trials of a study, as the page itself would keep it."""

from typing import Any

from experiments.records import StudyRecord
from nnreg import LAMBDA_NAMES

NAME = "attributes.`Run Name`"
TAG = "mlflow.sharedViewState."  # MLflow's page keeps a shared view in a tag of the experiment, under a key


def state(study: StudyRecord) -> dict[str, Any]:
    """The run table with this study's trials alone, best first, the numbers that matter in front."""
    numbers = dict.fromkeys([study.objective, "val_accuracy", "data_loss", "regularization_loss", *LAMBDA_NAMES])
    columns = [f"metrics.`{name}`" for name in numbers]
    return {
        "searchFilter": f"tags.kind = 'trial' and tags.study_uid = '{study.study_uid}'",
        "orderByKey": f"metrics.`{study.objective}`",
        "orderByAsc": not study.maximize,
        "selectedColumns": columns,
        "columnOrder": [NAME, *columns],
        "columnWidths": {NAME: 140, **{f"metrics.`{name}`": max(95, 8 * len(name)) for name in numbers}},  # pixels
    }


def fragment(experiment_id: str, key: str) -> str:
    """The part of the page's address that opens the view."""
    return f"#/experiments/{experiment_id}/runs?workflowType=machine_learning&viewStateShareKey={key}"
