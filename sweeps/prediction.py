"""The prediction: what the model of a study's verdict says of the rows of a file."""

from pathlib import Path
from typing import TYPE_CHECKING

from experiments.datasets import files
from experiments.errors import InputError
from experiments.model import find_model
from sweeps.search.study import study_record
from sweeps.workspace import Workspace

if TYPE_CHECKING:
    import pandas as pd


def predict(
    place: Workspace, study: str | None, rows: Path, *, probabilities: bool
) -> "pd.DataFrame":
    """A row for each row of the file: its label, in a column named as the target, and with
    `probabilities` one column a class.

    The file is read by the rules of the study's experiment: separator, encoding, what means
    missing. Raises InputError, DataError, StorageError.
    """
    if not rows.exists():
        raise InputError(f"{rows}: there is no such file; check the path")
    record = study_record(place.load(place.choose(study)))
    confirm = f"sweeps confirm {record.study}{place.options()}"
    if record.verdict is None:
        raise InputError(
            f"study {record.study} has no verdict yet, and so no model; get both with: {confirm}"
        )
    folder = place.reports_of(record.study)
    model = find_model(folder, record)
    if model is None:
        raise InputError(
            f"study {record.study}: the model of its verdict is not in {folder}; make it again"
            f" with: {confirm}"
        )
    table = files.read_columns(rows, record.experiment.data, labelled=False)
    found = model.table(table.frame, where=table.where)
    if (
        model.label_type == "bool"
    ):  # written as in the data, and not as other booleans are in our CSV
        found[model.target] = found[model.target].map(str)
    return found if probabilities else found[[model.target]]
