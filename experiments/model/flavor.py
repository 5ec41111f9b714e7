"""The flavor: a kept model as a folder that MLflow loads and serves, without a pickle in it.

In the folder are the two files of the model, as data, and the code that reads them: this package's
own, for where it is not installed. Nothing is left to MLflow that would serialize an object.
"""

import logging
import re
import shutil
import warnings
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import PackageNotFoundError, requires
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from experiments.model import loader
from experiments.model.model import NUMBERS, WORDS, Model
from experiments.model.served import PROBABILITIES

if TYPE_CHECKING:
    from mlflow.models import Model as Metadata
    from mlflow.models import ModelSignature

DISTRIBUTION = "nnreg-sweeps"
NEEDED = (
    "mlflow",
    "numpy",
    "pandas",
    "pyarrow",
    "pydantic",
)  # of what the distribution requires, to predict
CARRIED = ("nnreg", "experiments")
LOADER, CODE = "nnreg_sweeps_loader", "code.zip"
MLFLOW_TYPES = {"int": "long", "float": "double", "bool": "boolean", "str": "string"}


def write_flavor(model: Model, kept: Path, work: Path, metadata: "Metadata | None" = None) -> Path:
    """Write the model that is kept in a folder as MLflow wants it, with files that are needed on
    the way below `work`, which exists; the folder written. Raises OSError, MlflowException.
    """
    import pandas as pd

    data, written = work / "network", work / "model"
    data.mkdir()
    for name in (NUMBERS, WORDS):
        shutil.copyfile(kept / name, data / name)
    _write_code(data / CODE)
    script = shutil.copyfile(loader.__file__, work / f"{LOADER}.py")
    with _quiet():
        import mlflow.pyfunc  # which warns of its own code

        mlflow.pyfunc.save_model(
            written,
            loader_module=LOADER,
            data_path=str(data),
            code_paths=[str(script)],
            mlflow_model=metadata,
            signature=signature(model),
            input_example=pd.DataFrame(
                model.example, columns=model.preparation.columns, dtype=object
            ),
            pip_requirements=requirements(),
        )
    return written


def signature(model: Model) -> "ModelSignature":
    """What goes in and comes out. The inputs are of any type: MLflow refuses 1 where it was told of
    1.0 or "1", and a column of a CSV has other types with other rows; what a value means is found
    out where it is prepared.
    """
    from mlflow.models import ModelSignature
    from mlflow.types import ColSpec, DataType, ParamSchema, ParamSpec, Schema
    from mlflow.types.schema import AnyType

    return ModelSignature(
        inputs=Schema([ColSpec(AnyType(), name) for name in model.preparation.columns]),  # type: ignore[no-untyped-call]
        outputs=Schema([ColSpec(MLFLOW_TYPES[model.label_type], model.target)]),
        params=ParamSchema([ParamSpec(PROBABILITIES, DataType.boolean, default=False)]),
    )


def requirements() -> list[str]:
    """The packages that predicting needs, with the versions that this one takes of them."""
    try:
        listed = requires(DISTRIBUTION) or []
    except PackageNotFoundError:  # run from its source alone
        listed = list(NEEDED)
    names = {re.split(r"[^\w-]", one)[0]: one for one in listed if ";" not in one}
    return [names.get(name, name) for name in NEEDED]


def _write_code(path: Path) -> None:
    """Write the code that reads a model: Python imports it from the archive as it is."""
    with zipfile.ZipFile(path, "w") as archive:
        for package in CARRIED:
            spec = find_spec(package)
            for root in spec.submodule_search_locations or () if spec else ():
                for file in sorted(Path(root).rglob("*.py")):
                    name = f"{package}/{file.relative_to(root).as_posix()}"
                    archive.writestr(
                        zipfile.ZipInfo(name), file.read_bytes(), zipfile.ZIP_DEFLATED
                    )  # of no time: as from any clone


@contextmanager
def _quiet() -> Iterator[None]:
    """MLflow tells what it does, and what it would rather have, on the terminal of whoever runs a
    sweep.
    """
    told = logging.getLogger("mlflow")
    before = told.level
    told.setLevel(logging.CRITICAL)
    try:
        with warnings.catch_warnings(action="ignore"):
            yield
    finally:
        told.setLevel(before)
