"""A model as MLflow logs, loads and serves it: data and code, without a pickle."""

import logging
import re
import shutil
import tempfile
import warnings
from collections.abc import Mapping
from importlib.metadata import packages_distributions, requires, version
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any

from experiments.environment import DISTRIBUTION
from experiments.errors import DataError
from experiments.model import nnreg_sweeps_loader
from experiments.model.model import Model, read_model

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from mlflow.models import ModelSignature

NEEDED = {"mlflow", "numpy", "pandas", "pyarrow", "pydantic"}  # of its requirements, to predict
PROBABILITIES = "probabilities"
MLFLOW_TYPES = {"int": "long", "float": "double", "bool": "boolean", "str": "string"}


class Served:
    """A model in a folder, with the method that MLflow calls."""

    def __init__(self, folder: Path) -> None:
        self.model = read_model(folder)

    def predict(
        self, frame: "pd.DataFrame", params: Mapping[str, Any] | None = None
    ) -> "np.ndarray | pd.DataFrame":
        """Return labels, or probabilities if `params` asks. Raises MlflowException (status 400)."""
        from mlflow.exceptions import MlflowException

        try:
            with_table = params and params.get(PROBABILITIES)
            return self.model.table(frame) if with_table else self.model.predict(frame)
        except DataError as error:
            raise MlflowException.invalid_parameter_value(str(error)) from None


def log(model: Model, model_id: str) -> None:
    """Give a logged model of MLflow's current tracking store its files. Raises MlflowException."""
    import pandas as pd

    from experiments.temporary import temporary_folder  # predicting needs no filelock

    for name in ("mlflow.pyfunc", "mlflow.utils.environment"):  # this process is the tracker's
        logging.getLogger(name).setLevel(logging.CRITICAL)
    columns = model.preparation.columns
    with (
        temporary_folder() as folder,
        warnings.catch_warnings(action="ignore"),  # MLflow warns of its own code
    ):
        import mlflow.pyfunc

        data = folder / "model"
        data.mkdir()
        model.write(data)
        for package in ("nnreg", "experiments"):
            shutil.copytree(
                str(files(package)),
                data / "packages" / package,
                ignore=shutil.ignore_patterns("__pycache__"),
            )
        tempfile.tempdir = str(folder)  # MLflow's own copy is removed too, if we are killed
        try:
            mlflow.pyfunc.log_model(
                model_id=model_id,
                loader_module=nnreg_sweeps_loader.__name__.rpartition(".")[2],
                code_paths=[nnreg_sweeps_loader.__file__],
                data_path=str(data),
                signature=signature(model),
                input_example=pd.DataFrame(model.example, columns=columns, dtype=object),
                pip_requirements=requirements(model),
            )
        finally:
            tempfile.tempdir = None


def signature(model: Model) -> "ModelSignature":
    """Return what goes in and comes out. The inputs are of any type: MLflow refuses 1 where the
    signature says 1.0 or "1", and a column of a CSV file has other types with other rows.
    """
    from mlflow.models import ModelSignature
    from mlflow.types import ColSpec, DataType, ParamSchema, ParamSpec, Schema
    from mlflow.types.schema import AnyType

    return ModelSignature(
        inputs=Schema([ColSpec(AnyType(), name) for name in model.preparation.columns]),  # type: ignore[no-untyped-call]  # as MLflow has it
        outputs=Schema([ColSpec(MLFLOW_TYPES[model.label_type], model.target)]),
        params=ParamSchema([ParamSpec(PROBABILITIES, DataType.boolean, default=False)]),
    )


def requirements(model: Model) -> list[str]:
    """Return the packages that predicting needs, with the versions that this package takes, and
    those that the user's own network imports, with the versions that are here.
    """
    listed = [one for one in requires(DISTRIBUTION) or () if ";" not in one]  # those of no extra
    found = {re.split(r"[^\w-]", one)[0]: one for one in listed}
    needed = [one for name, one in found.items() if name in NEEDED]
    if model.network is None:
        return needed
    there = packages_distributions()
    own = {name for module in model.network.imports for name in there.get(module, ())}
    return needed + [f"{name}=={version(name)}" for name in sorted(own - NEEDED)]
