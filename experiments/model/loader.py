"""The loader: what MLflow imports to open a model that was kept here. A copy of this file travels
with each model.
"""

import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from experiments.model.served import Served


def _load_pyfunc(path: str) -> "Served":
    """The model in a folder, read by the nnreg-sweeps that is installed, else by that which travels
    with the model: last on the path, it stands in nobody's way. Raises ImportError.
    """
    try:
        return _served(path)
    except ModuleNotFoundError:
        sys.path.append(str(Path(path) / "code.zip"))
    try:
        return _served(path)
    except ModuleNotFoundError as error:
        raise ImportError(
            f"there is no {error.name}: install requirements.txt of the model, and, where a package"
            " of your own is named experiments or nnreg, load the model elsewhere"
        ) from error


def _served(path: str) -> "Served":
    from experiments.model.served import Served

    return Served(Path(path))
