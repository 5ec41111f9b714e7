"""The reports: records as pandas frames with fixed columns, and the files made of them."""

import os
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from experiments.records import StudyRecord

if TYPE_CHECKING:
    import pandas as pd

TRIAL_COLUMNS = (
    "study", "trial", "generation", "state", "weight_l1", "weight_l2", "bias_l1", "bias_l2", "data_loss",
    "regularization_loss", "total_loss", "penalty_weight_l1", "penalty_weight_l2", "penalty_bias_l1", "penalty_bias_l2",
    "val_data_loss", "val_accuracy", "balanced_val_accuracy", "train_accuracy", "near_zero_weights", "diverged", "epochs",
    "seconds", "started", "finished", "mlflow_run_id", "error",
)


def trials_frame(study: StudyRecord, runs: Mapping[int, str]) -> "pd.DataFrame":
    """One row a trial, the columns of trials.csv."""
    import pandas as pd

    def row(trial: Any) -> dict[str, Any]:
        outside = {"study": study.study, "mlflow_run_id": runs.get(trial.trial)}
        return {name: outside[name] if name in outside else getattr(trial, name) for name in TRIAL_COLUMNS}

    return pd.DataFrame([row(trial) for trial in study.trials], columns=list(TRIAL_COLUMNS))


def write_csv(frame: "pd.DataFrame", path: Path) -> None:
    """Write a frame under a temporary name, then move it into place."""
    frame = frame.copy()
    for name in frame.columns:
        if frame[name].dtype == bool:
            frame[name] = frame[name].map({True: "true", False: "false"})
        elif str(frame[name].dtype).startswith("datetime"):
            frame[name] = frame[name].dt.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    with os.fdopen(handle, "w", encoding="utf-8", newline="") as file:
        frame.to_csv(file, index=False, lineterminator="\n")
    os.replace(temporary, path)
