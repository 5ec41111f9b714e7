"""What MLflow imports to open a model: a copy of this file is logged with each."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from experiments.model.pyfunc import Served


def _load_pyfunc(path: str) -> "Served":
    sys.path.append(str(Path(path) / "packages"))  # last: it never hides an installed package
    from experiments.model.pyfunc import Served

    return Served(Path(path))
