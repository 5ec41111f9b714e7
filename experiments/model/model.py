"""The kept model: a trained network and its preparation, as two files without any code."""

import io
import json
import logging
import zipfile
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from hashlib import sha256
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from pydantic import TypeAdapter

from experiments import loading, network
from experiments.datasets import Preparation, labels
from experiments.datasets.preparation import Example
from experiments.digest import digest
from experiments.errors import DataError
from experiments.network import OwnNetwork
from experiments.writing import write_text, write_whole
from nnreg import probabilities
from nnreg.network import LayerParameters

if TYPE_CHECKING:
    import pandas as pd

    from experiments.records import StudyRecord

NUMBERS, WORDS = "model.npz", "model.json"
CODE = "network"  # the folder beside them with the code of a user's own network
OWN = "own:"  # before the names of its arrays
UNREADABLE = (  # what json, NumPy, its zip files and pydantic raise for other files
    *(OSError, EOFError, ValueError, LookupError, TypeError, RuntimeError, ArithmeticError),
    *(zipfile.BadZipFile, zlib.error),
)

logger = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True, eq=False)
class Model:
    """The network of the lambdas to use, which a confirmation keeps in reports/<study>/.

    `parameters` are (weights (n_inputs, n_neurons), biases (1, n_neurons)) of each layer; a user's
    own `network` has none, and is made again from its `arrays`. `dtype` is that of its inputs,
    `classes` are the labels by class number as text, `target` their column, `label_type` their type
    in `labels.TYPES`, `example` a few raw rows, `origin` the verdict that it belongs to.
    """

    __pydantic_config__: ClassVar = {"arbitrary_types_allowed": True, "allow_inf_nan": False}

    parameters: Sequence[LayerParameters]
    preparation: Preparation
    classes: tuple[str, ...]
    target: str
    label_type: str
    example: Example
    origin: Mapping[str, Any]
    network: OwnNetwork | None = None
    arrays: Mapping[str, np.ndarray] = field(default_factory=dict)
    dtype: str = "float32"

    @property
    def labels(self) -> np.ndarray:
        """The labels by class number (classes,), with their type in the data."""
        return labels.restore(self.classes, self.label_type)

    def probabilities(self, frame: "pd.DataFrame", *, where: str = "the rows") -> np.ndarray:
        """Return (rows, classes) float64 for raw rows: columns in any order, others among them,
        values missing or never seen. Raises DataError, which names the rows by `where`.
        """
        frame = frame.set_axis([str(name) for name in frame.columns], axis="columns")
        dtype = self.dtype if self.network else self.parameters[0][0].dtype.name
        values = self.preparation.apply(frame, dtype, where=where)
        if self.network:
            return loading.predict(self.network, self.arrays, values, len(self.classes))
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
        """Write model.npz and model.json, and the code of a user's own network. Raises
        DirectoryError.
        """
        numbers, words = io.BytesIO(), vars(self) | {"preparation": asdict(self.preparation)}
        arrays = {f"{OWN}{name}": array for name, array in words.pop("arrays").items()}
        arrays |= {
            f"{name}_{layer}": array
            for layer, pair in enumerate(words.pop("parameters"))
            for name, array in zip("wb", pair, strict=True)
        }
        np.savez(numbers, allow_pickle=False, **arrays)
        if self.network is None:
            del words["network"], words["dtype"]  # as in files of earlier versions
        else:
            words["network"] = self.network.described
            for file, text in self.network.sources.items():
                (folder / CODE / file).parent.mkdir(parents=True, exist_ok=True)
                write_text(text, folder / CODE / file)
        words["digest"] = _digest(words, numbers.getvalue())
        write_whole(folder / NUMBERS, lambda path: path.write_bytes(numbers.getvalue()))
        write_text(json.dumps(words, indent=1), folder / WORDS)


def _digest(words: Mapping[str, Any], numbers: bytes) -> str:
    return digest([words, sha256(numbers).hexdigest()])


def read_model(folder: Path) -> Model:
    """Read the model in a folder. Raises DataError if it is not as it was written."""
    try:
        return _read(folder / WORDS, folder / NUMBERS)
    except UNREADABLE as error:
        raise DataError(
            f"{folder / WORDS} and {NUMBERS} are not as sweeps wrote them ({error});"
            " rebuild them with: sweeps confirm STUDY"
        ) from None


def _read(words_file: Path, numbers_file: Path) -> Model:
    for file in (words_file, numbers_file):
        if not file.is_file():  # a pipe would be waited for
            raise ValueError(f"there is no file {file.name}")
    words, numbers = dict(json.loads(words_file.read_bytes())), numbers_file.read_bytes()
    if words.pop("digest", None) != _digest(words, numbers):
        raise ValueError("they do not belong together, or were changed")
    with np.load(io.BytesIO(numbers), allow_pickle=False) as arrays:
        own = {one.removeprefix(OWN): arrays[one] for one in arrays.files if one.startswith(OWN)}
        layers = range((len(arrays.files) - len(own)) // 2)
        parameters = [(arrays[f"w_{layer}"], arrays[f"b_{layer}"]) for layer in layers]
    if described := words.get("network"):
        words["network"] = network.read(described, words_file.parent / CODE)
    given = {**words, "parameters": parameters, "arrays": own}
    model = TypeAdapter(Model).validate_python(given)
    if model.network:
        return model
    hidden = [biases.size for _, biases in parameters[:-1]]
    sizes = [len(model.preparation.features), *hidden, len(model.labels)]
    expected = [((n, m), (1, m)) for n, m in pairwise(sizes)]
    if [(weights.shape, biases.shape) for weights, biases in parameters] != expected:
        raise ValueError(f"the shapes of its arrays are not {expected}")
    arrays_there = [array for layer in parameters for array in layer]
    if not all(array.dtype.kind == "f" and np.isfinite(array).all() for array in arrays_there):
        raise ValueError("its arrays are not of finite floats")
    return model


def find_model(folder: Path, study: "StudyRecord") -> Model | None:
    """Return the model of a study's verdict, if it is in a folder and can be read."""
    try:
        model = read_model(folder)
    except DataError as error:
        logger.debug(error)
        return None
    return model if study.verdict and model.origin == origin(study) else None


def unkept(study: "StudyRecord") -> str:
    """Return why there is no model of a study's verdict, and what to do; empty if there can be."""
    own = study.experiment.own
    if own is None or study.verdict is None or study.unkept != origin(study):
        return ""
    file = own.name if own.has_file else "a file of its own"
    return (
        f"No model is kept: for one, give your network arrays(), a dict of NumPy arrays, and {file}"
        " a function load(arrays) that makes it again, and start another study."
    )


def origin(study: "StudyRecord") -> dict[str, Any]:
    """Return what identifies the model of a study's verdict, as JSON."""
    assert study.verdict is not None
    return {
        "study": study.study,
        "study_uid": study.study_uid,
        "fingerprint": study.fingerprint,
        **study.verdict.use.as_json,
        "epochs": study.verdict.used.best_epoch,
        "seed": study.verdict.seeds[0],
        "rows": study.verdict.rows["training"] + study.verdict.rows["validation"],
    }
