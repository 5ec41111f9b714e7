"""What MLflow imports to open a model: a copy of this file is logged with each."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from experiments.model.pyfunc import Served


def _load_pyfunc(path: str) -> "Served":
    """Open the model in a folder with the installed nnreg-sweeps, or with the copy of its code in
    the folder, which comes last on the path and so never hides another package.
    """
    sys.path.append(str(Path(path) / "packages"))
    from experiments.model.pyfunc import Served

    return Served(Path(path))
