"""The model: one trained network with all that raw rows need on their way through it; two files without any code in them."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from experiments.datasets import Preparation
from experiments.reports.files import write_whole
from nnreg import probabilities
from nnreg.network import LayerParameters

if TYPE_CHECKING:
    import pandas as pd

NUMBERS, WORDS = "model.npz", "model.json"


@dataclass(frozen=True, kw_only=True, eq=False)
class Model:
    """`parameters` are (weights (n_inputs, n_neurons), biases (1, n_neurons)) a layer, `classes` the labels by class number,
    `origin` what the model is, as JSON: study, lambdas, seed, rows.
    """

    parameters: Sequence[LayerParameters]
    preparation: Preparation
    classes: tuple[str, ...]
    origin: Mapping[str, Any]

    def probabilities(self, frame: "pd.DataFrame") -> np.ndarray:
        """(rows, classes) of raw rows as they stand in somebody's table, columns in any order. Raises DataError."""
        values = self.preparation.apply(frame, self.parameters[0][0].dtype.name)
        return probabilities(values, self.parameters)

    def predict(self, frame: "pd.DataFrame") -> np.ndarray:
        """(rows,) the label of each raw row. Raises DataError."""
        labels: np.ndarray = np.array(self.classes, dtype=object)[self.probabilities(frame).argmax(axis=1)]
        return labels

    def write(self, folder: Path) -> list[Path]:
        """Write model.npz and model.json into a folder; the paths written. Raises DirectoryError."""
        arrays = {
            f"{name}_{layer}": array for layer, pair in enumerate(self.parameters) for name, array in zip("wb", pair, strict=True)
        }
        words = {"origin": self.origin, "classes": self.classes, "preparation": self.preparation.as_json()}
        return [
            write_whole(folder / NUMBERS, lambda path: _save(path, arrays)),
            write_whole(folder / WORDS, lambda path: path.write_text(json.dumps(words, indent=1), encoding="utf-8")),
        ]


def _save(path: Path, arrays: Mapping[str, np.ndarray]) -> None:
    with path.open("wb") as file:  # savez given a name would append .npz to it
        np.savez(file, allow_pickle=False, **arrays)


def read_model(folder: Path) -> Model:
    """The model that was written into a folder. Raises FileNotFoundError."""
    words = json.loads((folder / WORDS).read_text(encoding="utf-8"))
    with np.load(folder / NUMBERS, allow_pickle=False) as arrays:
        parameters = [(arrays[f"w_{layer}"], arrays[f"b_{layer}"]) for layer in range(len(arrays.files) // 2)]
    return Model(
        parameters=parameters,
        preparation=Preparation.from_json(words["preparation"]),
        classes=tuple(words["classes"]),
        origin=words["origin"],
    )


def is_there(folder: Path, origin: Mapping[str, Any]) -> bool:
    """Whether a folder holds the model of this origin."""
    try:
        found = json.loads((folder / WORDS).read_text(encoding="utf-8"))
        return bool(found["origin"] == origin) and (folder / NUMBERS).exists()
    except (OSError, ValueError, KeyError, TypeError):
        return False
