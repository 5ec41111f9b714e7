"""The kept model: a trained network and its preparation, as two files without any code."""

import json
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from experiments.datasets import Preparation, labels
from experiments.datasets.preparation import Example
from experiments.writing import write_text, write_whole
from nnreg import probabilities
from nnreg.network import LayerParameters

if TYPE_CHECKING:
    import pandas as pd

    from experiments.records import StudyRecord

NUMBERS, WORDS = "model.npz", "model.json"


@dataclass(frozen=True, kw_only=True, eq=False)
class Model:
    """The network of the lambdas to use, which a confirmation keeps in reports/<study>/.

    `parameters` are (weights (n_inputs, n_neurons), biases (1, n_neurons)) of each layer, `classes`
    the labels by class number as text, `target` their column, `label_type` their type in
    `labels.TYPES`, `example` a few raw rows, `origin` the verdict that it belongs to.
    """

    parameters: Sequence[LayerParameters]
    preparation: Preparation
    classes: tuple[str, ...]
    target: str
    label_type: str
    example: Example
    origin: Mapping[str, Any]

    @property
    def labels(self) -> np.ndarray:
        """The labels by class number (classes,), with their type in the data."""
        return labels.restore(self.classes, self.label_type)

    def probabilities(self, frame: "pd.DataFrame", *, where: str = "the rows") -> np.ndarray:
        """Return (rows, classes) float64 for raw rows: columns in any order, others among them,
        values missing or never seen. Raises DataError, which names the rows by `where`.
        """
        frame = frame.set_axis([str(name) for name in frame.columns], axis="columns")
        values = self.preparation.apply(frame, self.parameters[0][0].dtype.name, where=where)
        return probabilities(values, self.parameters)

    def predict(self, frame: "pd.DataFrame") -> np.ndarray:
        """Return the label of each raw row, (rows,). Raises DataError."""
        predicted: np.ndarray = self.labels[self.probabilities(frame).argmax(axis=1)]
        return predicted

    def table(self, frame: "pd.DataFrame", *, where: str = "the rows") -> "pd.DataFrame":
        """Return labels, named as the target, and `probability_<class>`. Raises DataError."""
        import pandas as pd

        found = self.probabilities(frame, where=where)
        columns = {self.target: self.labels[found.argmax(axis=1)]}
        columns |= {f"probability_{name}": found[:, i] for i, name in enumerate(self.classes)}
        return pd.DataFrame(columns, index=frame.index)

    def write(self, folder: Path) -> None:
        """Write model.npz and model.json. Raises DirectoryError."""
        arrays = {
            f"{name}_{layer}": array
            for layer, pair in enumerate(self.parameters)
            for name, array in zip("wb", pair, strict=True)
        }
        words = vars(self) | {"preparation": self.preparation.as_json()}
        del words["parameters"]

        def save_arrays(path: Path) -> None:
            with path.open("wb") as file:  # savez given a name would append .npz to it
                np.savez(file, allow_pickle=False, **arrays)

        write_whole(folder / NUMBERS, save_arrays)
        write_text(json.dumps(words, indent=1), folder / WORDS)


def read_model(folder: Path) -> Model:
    """Read the model in a folder. Raises what `find_model` lists."""
    words = json.loads((folder / WORDS).read_text(encoding="utf-8"))
    with (
        (folder / NUMBERS).open("rb") as file,  # NumPy leaves a damaged one open
        np.load(file, allow_pickle=False) as arrays,
    ):
        layers = range(len(arrays.files) // 2)
        parameters = [(arrays[f"w_{layer}"], arrays[f"b_{layer}"]) for layer in layers]
    words["preparation"] = Preparation.from_json(words["preparation"])
    words |= {name: tuple(words[name]) for name in ("classes", "example")}
    return Model(parameters=parameters, **words)


def find_model(folder: Path, study: "StudyRecord") -> Model | None:
    """Return the model of a study's verdict, if it is in a folder and can be read."""
    try:
        model = read_model(folder)
    except (OSError, EOFError, ValueError, KeyError, TypeError, zipfile.BadZipFile):
        return None
    return model if study.verdict and model.origin == origin(study) else None


def origin(study: "StudyRecord") -> dict[str, Any]:
    """Return what identifies the model of a study's verdict, as JSON."""
    assert study.verdict is not None
    return {
        "study": study.study,
        "study_uid": study.study_uid,
        "fingerprint": study.fingerprint,
        **asdict(study.verdict.use),
        "epochs": study.verdict.used.best_epoch,
        "seed": study.verdict.seeds[0],
        "rows": study.verdict.rows["training"] + study.verdict.rows["validation"],
    }
