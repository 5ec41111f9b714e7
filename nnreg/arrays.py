"""Array types that every signature of the package uses."""

from typing import Any

import numpy as np
import numpy.typing as npt

FloatType = np.dtype[np.floating[Any]]

Floats = npt.NDArray[np.floating[Any]]
"""float32 or float64, the same throughout a network."""

Float64s = npt.NDArray[np.float64]
"""What is reported: always float64."""

Ints = npt.NDArray[np.integer[Any]]
Bools = npt.NDArray[np.bool_]
