"""The pages about a user's own network, followed word for word, and what they promise."""

import os
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.datasets import load_iris

from experiments import datasets, experiment_file, network
from experiments.data_section import Data
from experiments.evaluation import EvaluationSpec, Job, Setting, evaluate_on
from experiments.worker import ONE_THREAD
from nnreg import Lambdas, Splits, TrainConfig
from tests.needs import needs_module
from tests.snippets import ROOT, Reader, Snippet, snippets
from tests.warm import warm

PAGE, CLASSES = (ROOT / "docs" / f"{name}.md" for name in ("own-network", "own-network-classes"))
FOLLOWED = (PAGE, CLASSES)
GLUE = {  # by the file that a sweep is given: the user's own files
    "nnfs_own.py": ("nnfs_model.py", "nnfs_program.py"),
    "cs231n_own.py": ("two_layer_net.py",),
    "closures_own.py": ("closures.py",),
    "sgd_own.py": (),
    "torch_own.py": ("torch_net.py",),
}
pytestmark = pytest.mark.usefixtures("tracker_here")


@pytest.fixture(scope="module")
def followed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The folder in which the pages were followed; it has a user's table."""
    folder = tmp_path_factory.mktemp("own")
    frame = load_iris(as_frame=True).frame.rename(columns={"target": "class"})
    frame.to_csv(folder / "rows.csv", index=False)
    with warm() as programs, ExitStack() as stack:
        for page in FOLLOWED:
            Reader(folder, stack, programs).follow(page)
        yield folder


def files(page: Path) -> dict[str, Snippet]:
    return {one.marks["file"]: one for one in snippets(page) if "file" in one.marks}


def glue(file: Snippet, *own: Snippet) -> list[int]:
    """The numbers of the lines of a file that are not in the user's own files."""
    there = Counter(line.strip() for one in own for line in one.text.splitlines())
    numbers = []
    for number, line in enumerate(map(str.strip, file.text.splitlines()), start=1):
        there[line] -= 1
        if line and not line.startswith("#") and there[line] < 0:
            numbers.append(number)
    return numbers


def marked(file: Snippet) -> list[int]:
    """The numbers of the lines that the page marks."""
    fence = file.page.read_text().splitlines()[file.line - 1]
    found = re.search(r'hl_lines="([\d ]+)"', fence)
    return [int(number) for number in found[1].split()] if found else []


def test_the_last_program_of_chapter_14_needs_ten_lines_of_glue() -> None:
    written = files(PAGE)
    lines = glue(written["my_network.py"], written["chapter14.py"])
    assert len(lines) <= 10
    assert lines == marked(written["my_network.py"])


def test_a_trial_has_the_numbers_of_the_program_run_alone(followed: Path) -> None:
    """Bit for bit: the program with the settings of a trial, the seed and the rows of each fold,
    and with all digits, prints the whole curves and, stopped at the kept epoch, what validation
    measured. The trial has their means.
    """
    experiment = experiment_file.load(followed / "spiral.toml")
    data = datasets.load(experiment.data, experiment.training.dtype)
    folder = followed / "reports" / "spiral"
    trials, history = pd.read_csv(folder / "trials.csv"), pd.read_csv(folder / "history.csv")
    penalised = trials[trials["arm"] == "penalised"]
    for _, trial in pd.concat([trials.head(1), penalised.tail(1)]).iterrows():
        found = []
        for seed, division in enumerate(data.divisions, start=experiment.training.seed):
            np.savez(followed / "alone.npz", **vars(division.split))
            found.append(alone(followed, trial, seed))
        *curves, (accuracy, loss) = np.mean(found, axis=0).tolist()
        shown = history[history["trial"] == trial["trial"]].head(int(trial["best_epoch"]))
        assert curves == shown[["data_loss", "regularization_loss"]].to_numpy().tolist()
        assert [round(accuracy, 12), loss] == trial[["val_accuracy", "val_data_loss"]].tolist()


def alone(folder: Path, trial: "pd.Series[Any]", seed: int) -> list[list[float]]:
    """What chapter14.py prints as its losses at each epoch, and for its validation at the end."""
    names = ("weight_l1", "weight_l2", "bias_l1", "bias_l2")
    penalties = {name.replace("_", "_regularizer_"): float(trial[name]) for name in names}
    edits = {
        "X, y = spiral_data(samples=300, classes=3)": "d = np.load('alone.npz');"
        " X, y = d['x_train'], d['y_train']",
        "X_test, y_test = spiral_data(samples=100, classes=3)": "X_test, y_test = d['x_val'],"
        " d['y_val']",
        "weight_regularizer_l2=5e-4, bias_regularizer_l2=5e-4": f"**{penalties}",
        "learning_rate=0.02": f"learning_rate={float(trial['learning_rate'])!r}",
        "range(1001)": f"range({int(trial['best_epoch'])})",
        "epoch % 100": "epoch % 1",
        ":.3f": ":.17g",
    }
    program = (folder / "chapter14.py").read_text()
    for before, after in edits.items():
        assert before in program
        program = program.replace(before, after)
    program = f"import numpy\nnumpy.random.seed({seed})\n{program}"
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=folder,
        env=os.environ | ONE_THREAD,
        capture_output=True,
        text=True,
        check=True,
    )
    lines = [re.findall(r"(?:acc|loss): ([^,\n]+)", line) for line in done.stdout.splitlines()]
    numbers = [[float(one) for one in line] for line in lines]
    return [*(line[1:] for line in numbers[:-1]), numbers[-1]]


def test_every_glue_is_short_and_leaves_the_network_alone() -> None:
    written = files(CLASSES)
    for name, own in GLUE.items():
        lines = glue(written[name], *(written[one] for one in own))
        assert len(lines) <= 12, name
        assert marked(written[name]) in ([], lines), name


@pytest.mark.parametrize("name", GLUE)
def test_every_glue_trains_and_penalises(name: str, followed: Path) -> None:
    if name == "torch_own.py":
        needs_module("torch").set_num_threads(1)
    own = network.from_file(followed / name, "train", followed, {})
    config = TrainConfig(epochs=20, batch_size=16)
    spec = EvaluationSpec(config, "all", "", "val_accuracy", own=own)
    split = datasets.load(Data(source="iris"), config.dtype).split
    settings = (Setting(Lambdas(weight_l2=l2), 0.05) for l2 in (0, 0, 1))
    plain, again, penalised = (
        evaluate_on(Splits((split,)), spec, [Job(setting, (1,))])[0][0] for setting in settings
    )
    assert plain.error is None
    assert plain.metrics.val_accuracy > 0.8
    assert again.curves == plain.curves
    assert penalised.curves["data_loss"][-1] > 1.5 * plain.curves["data_loss"][-1]
