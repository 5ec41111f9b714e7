"""The served model: as MLflow calls it, in Python and behind `mlflow models serve`."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from experiments.errors import DataError
from experiments.model.model import read_model

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

PROBABILITIES = "probabilities"


class Served:
    """A model that was written into a folder."""

    def __init__(self, folder: Path) -> None:
        self.model = read_model(folder)

    def predict(
        self, frame: "pd.DataFrame", params: Mapping[str, Any] | None = None
    ) -> "np.ndarray | pd.DataFrame":
        """As `Model.predict`, or, where the param `probabilities` is true, as `Model.table`.

        Raises MlflowException where rows cannot be used, which a server answers with status 400.
        """
        from mlflow.exceptions import MlflowException

        try:
            return (
                self.model.table(frame)
                if params and params.get(PROBABILITIES)
                else self.model.predict(frame)
            )
        except DataError as error:
            raise MlflowException.invalid_parameter_value(str(error)) from None
