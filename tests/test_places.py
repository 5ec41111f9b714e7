"""Places that sweeps runs in: other programs' processes and runs, and folders with files of the
user's own.
"""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from tests.commands import carried_out, sweeps
from tests.needs import needs_package

IN_OTHERS = """
import asyncio, multiprocessing, mlflow, sweeps

def trials(study):
    edits = ["training.epochs=2"]
    swept = sweeps.run("iris", trials=2, study=study, workers=2, edits=edits, confirm=False)
    return len(swept.trials), len(swept.runs.ids)

if __name__ == "__main__":
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        print(pool.apply(trials, ["pool"]))
    mlflow.set_tracking_uri("sqlite:///mine.db")
    with mlflow.start_run() as run:
        print(asyncio.run(asyncio.to_thread(trials, "thread")))
        mlflow.log_metric("mine", 1)
        assert mlflow.active_run().info.run_id == run.info.run_id
    assert [one.data.metrics for one in mlflow.search_runs(output_format="list")] == [{"mine": 1}]
"""


def script(text: str, folder: Path) -> "subprocess.CompletedProcess[str]":
    (folder / "script.py").write_text(text)
    command = [sys.executable, "script.py"]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)


def table(path: Path, rows: int = 60) -> None:
    x = np.random.default_rng(0).normal(size=(rows, 2)).round(3)
    labels = np.where(x[:, 0] + x[:, 1] > 0, "yes", "no")
    pd.DataFrame(x, columns=["a", "b"]).assign(**{"my label": labels}).to_csv(path, index=False)


def test_a_sweep_runs_in_a_pool_a_thread_and_somebodys_run(tmp_path: Path, made: Path) -> None:
    """A process of a pool may have no children by multiprocessing: workers are not its own."""
    for name in ("mlflow.db", "mine.db"):
        shutil.copy(made, tmp_path / name)
    done = script(IN_OTHERS, tmp_path)
    assert done.stdout.split("\n")[:2] == ["(2, 2)", "(2, 2)"], done.stderr


IN_A_NOTEBOOK = """
import sweeps
edits = ["training.epochs=2"]
swept = sweeps.run("iris", trials=2, workers=2, edits=edits, confirm=False)
len(swept.trials), len(swept.runs.ids)
"""


def test_a_sweep_runs_in_the_kernel_of_a_notebook(tmp_path: Path, made: Path) -> None:
    """It runs an event loop, has streams of its own, and no file as its main module."""
    needs_package("nbclient")
    needs_package("ipykernel")
    shutil.copy(made, tmp_path / "mlflow.db")
    path = tmp_path / "sweep.ipynb"
    cell = {"cell_type": "code", "source": IN_A_NOTEBOOK, "metadata": {}, "outputs": []}
    notebook = {"nbformat": 4, "nbformat_minor": 4, "metadata": {}}
    path.write_text(json.dumps({**notebook, "cells": [cell | {"execution_count": None}]}))
    execute = str(Path(sys.executable).with_name("jupyter-execute"))
    command = [execute, "--inplace", "--kernel_name=python3", path.name]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    (executed,) = json.loads(path.read_text())["cells"]
    assert executed["outputs"][-1]["data"]["text/plain"] == ["(2, 2)"]


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("random.py", "{} hides a module of Python's own from the libraries; rename it"),
        ("nnreg.py", "{} is found for the module nnreg, in place of "),
        ("nnreg/__init__.py", "{} is found for the module nnreg, in place of "),
        ("types.py", ""),
        ("test.py", ""),
    ],
)
def test_files_beside_a_script_do_no_harm_or_are_named(
    tmp_path: Path, name: str, said: str
) -> None:
    path = tmp_path / name
    path.parent.mkdir(exist_ok=True)
    path.write_text("x = 1\n")
    last = script("import sweeps\nsweeps.run\n", tmp_path).stderr.strip().rpartition("\n")[2]
    assert last.startswith(f"ImportError: {said.format(path)}" if said else "")
    assert bool(last) == bool(said)


@pytest.mark.usefixtures("tracker_here")
def test_files_of_the_user_do_not_reach_the_workers(tmp_path: Path, made: Path) -> None:
    """The command's own folder is not searched for modules, and the workers' neither."""
    shutil.copy(made, tmp_path / "mlflow.db")
    for name in ("types", "random", "nnreg"):
        (tmp_path / f"{name}.py").write_text("raise RuntimeError('of the user')\n")
    (tmp_path / "experiments").mkdir()
    few = ("--trials", "2", "--workers", "2", "--set", "training.epochs=2", "--no-confirm")
    sweeps("run", "iris", *few, cwd=tmp_path)


@pytest.mark.usefixtures("tracker_here")
def test_what_is_printed_for_a_file_with_blanks_and_brackets(tmp_path: Path, made: Path) -> None:
    shutil.copy(made, tmp_path / "mlflow.db")
    table(tmp_path / "my data (1).csv")
    sweeps("new", "my data (1).csv", "--target", "my label", cwd=tmp_path)
    few = ("--trials", "4", "--workers", "1", "--set", "training.epochs=2")
    printed = sweeps("run", "my data (1).toml", *few, cwd=tmp_path).stdout
    again = "sweeps run 'my data (1).toml' --set training.epochs=2 --study 'my data _1_' --trials"
    assert again in printed
    assert "sweeps ui 'my data _1_'" in printed

    # The study began with these rows, and its journal is called as it is.
    table(tmp_path / "my data (1).csv", rows=50)
    changed = carried_out("run", "my data (1).toml", *few, cwd=tmp_path)
    assert changed.returncode == 2
    assert (
        f"{tmp_path}/my data (1).csv is not as the study began with it (rows then: 48 training +"
        " 12 test; now: 40 training + 10 test)"
    ) in changed.stderr
    assert "sha256" not in changed.stderr


@pytest.mark.usefixtures("tracker_here")
def test_a_renamed_journal_is_named_and_can_be_renamed_back(tmp_path: Path, made: Path) -> None:
    shutil.copy(made, tmp_path / "mlflow.db")
    few = ("--trials", "2", "--workers", "1", "--set", "training.epochs=2", "--no-confirm")
    sweeps("run", "iris", *few, cwd=tmp_path)
    folder = tmp_path / "studies"
    renamed = (folder / "iris.journal").rename(folder / "iris 2.journal")
    remedy = f"mv -n '{renamed}' {folder}/iris.journal"
    before = renamed.read_bytes()
    told = sweeps("status", cwd=tmp_path).stderr
    assert f"{renamed}: it holds study iris, because the file was renamed" in told
    assert "no study yet" not in told
    for words in (("run", "iris", "--study", "iris 2", *few), ("export",), ("doctor",)):
        done = carried_out(*words, cwd=tmp_path)
        assert done.returncode == 1
        assert f"with: {remedy}\n" in done.stdout + done.stderr
    assert renamed.read_bytes() == before
    subprocess.run(remedy, shell=True, check=True)  # as it was printed
    assert sweeps("status", cwd=tmp_path).stdout.split("\n")[1].startswith("iris ")
