"""A kept model that was not trained; what it is asked about, and what it answers, is real."""

import dataclasses
import itertools
from pathlib import Path

import mlflow
import numpy as np
import pandas as pd
from mlflow import MlflowClient

from experiments import datasets
from experiments.data_section import Data
from experiments.model import Model, origin
from experiments.records import StudyRecord
from experiments.tracking import Store, Tracker
from experiments.tracking.plan import trial_plan

FRAME = pd.DataFrame(
    {
        "id": range(60),
        "size, in cm": [n * 7 % 23 if n % 9 else None for n in range(60)],
        "weight": [n % 11 / 4 for n in range(60)],
        "colour": [("red", "green", None, "sky blue")[n % 4] for n in range(60)],
        "zip": [(10115, 20095, 80331)[n % 3] for n in range(60)],
        "class": [n // 2 % 3 + 1 for n in range(60)],
    }
)
"""Numbers, some missing, categories, numbers that are codes, and labels that are numbers."""


def loaded(folder: Path) -> datasets.Dataset:
    """The data of the rows.csv in a folder."""
    source = str(folder / "rows.csv")
    return datasets.load(Data(source=source, target="class", drop=("id",), categorical=("zip",)))


def made_model(study: StudyRecord, folder: Path) -> Model:
    """A model of the study's verdict for FRAME, written as rows.csv; its weights are drawn."""
    FRAME.to_csv(folder / "rows.csv", index=False)
    data = loaded(folder)
    rng, sizes = np.random.default_rng(0), (len(data.features), 8, len(data.classes))
    layers = [
        (rng.normal(size=(n, m)).astype(np.float32), rng.normal(size=(1, m)).astype(np.float32))
        for n, m in itertools.pairwise(sizes)
    ]
    return Model(
        parameters=layers,
        preparation=data.preparation,
        classes=data.classes,
        target=data.target,
        label_type=data.label_type,
        example=data.example,
        origin=origin(study),
    )


def later(study: StudyRecord, hours: int) -> StudyRecord:
    """The study whose test set was opened so much later."""
    opened = study.verdict.opening.opened + pd.Timedelta(hours=hours)
    opening = dataclasses.replace(study.verdict.opening, opened=opened)
    return dataclasses.replace(study, verdict=dataclasses.replace(study.verdict, opening=opening))


def registered(store: Store, study: StudyRecord, folder: Path) -> bool:
    """Write the study and its model, as the end of a sweep does; whether the model was new."""
    tracker = Tracker(store, study)
    for trial in study.trials:
        tracker.write(trial_plan(study, trial))
    tracker.finish(study)
    made_model(study, folder).write(folder / study.study_uid)
    try:
        return tracker.keep_model(study, folder / study.study_uid)
    finally:
        mlflow.set_tracking_uri(None)  # it was set for a process of its own


def versions(store: Store, name: str = "digits") -> dict[str, list[str]]:
    """The study of each version of a registered model, and its aliases, as the page shows them."""
    client = MlflowClient(store.uri)
    aliases = client.get_registered_model(name).aliases
    return {
        f"{one.version} {one.tags['study_uid']}": [
            alias for alias, version in aliases.items() if str(version) == str(one.version)
        ]
        for one in client.search_model_versions(f"name = '{name}'")
    }
