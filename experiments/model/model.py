"""The kept model: a trained network with all that raw rows need on their way through it; two files
without any code in them.
"""

import functools
import json
import zipfile
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from experiments.datasets import Preparation, labels
from experiments.datasets.preparation import Example
from nnreg import probabilities
from nnreg.network import LayerParameters

if TYPE_CHECKING:
    import pandas as pd

NUMBERS, WORDS = "model.npz", "model.json"
UNREADABLE = (
    OSError,
    ValueError,
    KeyError,
    TypeError,
    AttributeError,
    EOFError,
    zipfile.BadZipFile,
    zlib.error,
)


@dataclass(frozen=True, kw_only=True, eq=False)
class Model:
    """What a confirmation keeps, at `sweep.model` and in reports/<study>/: the network of the
    lambdas that its card tells to use.

    `parameters` are (weights (n_inputs, n_neurons), biases (1, n_neurons)) a layer, `classes` the
    labels by class number as text, `target` the name of their column and `label_type` their type
    (`labels.TYPES`), `example` a few raw rows, `origin` what the model was made of, as JSON: study,
    lambdas, seed, rows.
    """

    parameters: Sequence[LayerParameters]
    preparation: Preparation
    classes: tuple[str, ...]
    target: str
    label_type: str
    example: Example
    origin: Mapping[str, Any]

    @functools.cached_property
    def labels(self) -> np.ndarray:
        """(classes,) the labels by class number, of the type that they have in the data."""
        return labels.restore(self.classes, self.label_type)

    def probabilities(self, frame: "pd.DataFrame", *, where: str = "the rows") -> np.ndarray:
        """(rows, classes) float64 of raw rows as they stand in somebody's table: columns in any
        order, others among them, values missing or never seen. Raises DataError, in whose sentence
        `where` names the rows.
        """
        frame = frame.set_axis([str(name) for name in frame.columns], axis="columns")
        values = self.preparation.apply(frame, self.parameters[0][0].dtype.name, where=where)
        return probabilities(values, self.parameters)

    def predict(self, frame: "pd.DataFrame") -> np.ndarray:
        """(rows,) the label of each raw row. Raises DataError."""
        predicted: np.ndarray = self.labels[self.probabilities(frame).argmax(axis=1)]
        return predicted

    def table(self, frame: "pd.DataFrame", *, where: str = "the rows") -> "pd.DataFrame":
        """A row for each raw row: its label, in a column named as the target, and
        `probability_<class>` of each class. Raises as `probabilities` does.
        """
        import pandas as pd

        found = self.probabilities(frame, where=where)
        columns = {
            f"probability_{label}": found[:, number] for number, label in enumerate(self.classes)
        }
        return pd.DataFrame(
            {self.target: self.labels[found.argmax(axis=1)], **columns}, index=frame.index
        )

    def write(self, folder: Path) -> list[Path]:
        """Write model.npz and model.json into a folder; the paths written. Raises DirectoryError."""
        from experiments.reports.files import write_whole  # what only reads a model does without it

        arrays = {
            f"{name}_{layer}": array
            for layer, pair in enumerate(self.parameters)
            for name, array in zip("wb", pair, strict=True)
        }
        words = {
            "origin": self.origin,
            "classes": self.classes,
            "target": self.target,
            "label_type": self.label_type,
            "example": self.example,
            "preparation": self.preparation.as_json(),
        }
        return [
            write_whole(folder / NUMBERS, lambda path: _save(path, arrays)),
            write_whole(
                folder / WORDS,
                lambda path: path.write_text(json.dumps(words, indent=1), encoding="utf-8"),
            ),
        ]


def _save(path: Path, arrays: Mapping[str, np.ndarray]) -> None:
    with path.open("wb") as file:  # savez given a name would append .npz to it
        np.savez(file, allow_pickle=False, **arrays)


def read_model(folder: Path) -> Model:
    """The model that was written into a folder. Raises one of UNREADABLE."""
    return _model(_words(folder), folder)


def find_model(folder: Path, origin: Mapping[str, Any]) -> Model | None:
    """The model of this origin, where it is in a folder and can be read."""
    try:
        words = _words(folder)
        return _model(words, folder) if words["origin"] == origin else None
    except UNREADABLE:
        return None


def _words(folder: Path) -> dict[str, Any]:
    words: dict[str, Any] = json.loads((folder / WORDS).read_text(encoding="utf-8"))
    return words


def _model(words: Mapping[str, Any], folder: Path) -> Model:
    with (
        (folder / NUMBERS).open("rb") as file,
        np.load(file, allow_pickle=False) as arrays,
    ):  # NumPy leaves a broken one open
        parameters = [
            (arrays[f"w_{layer}"], arrays[f"b_{layer}"]) for layer in range(len(arrays.files) // 2)
        ]
    return Model(
        parameters=parameters,
        preparation=Preparation.from_json(words["preparation"]),
        classes=tuple(words["classes"]),
        target=words["target"],
        label_type=words["label_type"],
        example=tuple(words["example"]),
        origin=words["origin"],
    )
