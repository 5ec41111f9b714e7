"""The house: imports go one way, doors stay lazy, and no setting is defined twice."""

import ast
import subprocess
import sys
from pathlib import Path
from typing import get_args

import pytest

import sweeps
from experiments import model_section, search_section, spec, training_section
from experiments.evaluation import CURVES, METRICS
from nnreg import CURVE_NAMES, TrainConfig
from nnreg import config as nnreg_config
from nnreg.lambdas import LAYERS
from tests.conftest import QUICK

ROOT = Path(__file__).parents[1]
PACKAGES = ("nnreg", "experiments", "sweeps")
FILES = [path for package in PACKAGES for path in sorted((ROOT / package).rglob("*.py"))]
HOMES = {
    "optuna": {"sweeps/search", "sweeps/storage", "sweeps/workspace.py"},
    "mlflow": {"experiments/tracking", "experiments/model"},
}


# The parts of sweeps from the lowest to the highest: each imports only parts of lower rows.
FLOORS = (
    {"interrupts"},
    {"storage", "executors"},
    {"search"},
    {"confirmation"},
    {"progress", "workspace"},
    {"publish"},
    {"result"},
    {"session", "comparison"},
    {"family"},
    {"sweep"},
    {"checkup"},
    {"cli"},
)


def imported(path: Path) -> set[str]:
    """The top-level packages that a file imports when it runs, wherever in it."""
    names, tree = set(), ast.parse(path.read_text())
    branches = [node for node in ast.walk(tree) if isinstance(node, ast.If)]
    for_types = [branch for branch in branches if ast.unparse(branch.test) == "TYPE_CHECKING"]
    unused = {id(node) for branch in for_types for node in ast.walk(branch)}
    for node in ast.walk(tree):
        if id(node) in unused:
            continue
        if isinstance(node, ast.Import):
            names |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names.add(node.module.split(".")[0])
    return names


def test_imports_point_one_way() -> None:
    for path in FILES:
        name, names = str(path.relative_to(ROOT)), imported(path)
        package = name.partition("/")[0]
        assert not names & set(PACKAGES[PACKAGES.index(package) + 1 :]), name
        if package == "nnreg":
            more = {"estimator.py": {"sklearn", "threadpoolctl"}, "compiled.py": {"numba"}}
            more_names = more.get(path.name, set())
            assert names <= set(sys.stdlib_module_names) | {"numpy", "nnreg"} | more_names, name
        for engine, homes in HOMES.items():
            assert engine not in names or any(map(name.startswith, homes)), (name, engine)


def test_imports_inside_sweeps_point_one_way() -> None:
    floor = {part: number for number, parts in enumerate(FLOORS) for part in parts}
    wrong = []
    for path in sorted((ROOT / "sweeps").rglob("*.py")):
        part = path.relative_to(ROOT / "sweeps").parts[0].removesuffix(".py")
        if part == "__init__":  # the door, which imports only when it is asked for a name
            continue
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "sweeps":
                names = (node.module or "").split(".")[1:2] or [each.name for each in node.names]
                wrong += [
                    (str(path.relative_to(ROOT)), name)
                    for name in names
                    if name != part and floor[name] >= floor[part]
                ]
    assert not wrong


def test_a_file_can_be_read_in_one_sitting() -> None:
    lengths = {str(path.relative_to(ROOT)): len(path.read_text().splitlines()) for path in FILES}
    assert {name: length for name, length in lengths.items() if length > 300} == {}


def test_the_files_of_the_quick_selection_exist() -> None:
    assert [name for name in QUICK if not (ROOT / "tests" / name).exists()] == []


@pytest.mark.parametrize(
    ("doors", "closed"),
    [
        ("nnreg, experiments.model, experiments.datasets", "pandas sklearn optuna mlflow"),
        ("experiments, sweeps, sweeps.cli", "numpy pandas sklearn optuna mlflow"),
        ("experiments.evaluation", "pandas sklearn scipy optuna mlflow pydantic numba"),
        ("sweeps.sweep, sweeps.search.driver", "pandas sklearn scipy mlflow numba"),
    ],
)
def test_doors_are_lazy(doors: str, closed: str) -> None:
    command = [sys.executable, "-c", f"import sys, {doors}; print(*sys.modules)"]
    loaded = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()
    assert not set(closed.split()) & set(loaded)


def test_what_the_door_of_sweeps_shows() -> None:
    names = ["Experiment", "Sweep", "SweepsError", "compare", "confirm", "objective", "run"]
    assert sorted(sweeps.__all__) == names
    assert all(getattr(sweeps, name) for name in names)
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        sweeps.nothing  # to look is the test  # noqa: B018


def test_choices_and_names_agree_between_packages() -> None:
    sections = (training_section.Training, model_section.ModelSection, search_section.SweepSection)
    fields = {name: field for section in sections for name, field in section.model_fields.items()}
    assert get_args(fields["optimizer"].annotation) == nnreg_config.OPTIMIZERS
    assert get_args(fields["initialization"].annotation) == nnreg_config.INITIALIZATIONS
    assert get_args(fields["dtype"].annotation) == nnreg_config.DTYPES
    assert get_args(search_section.LambdaAxes.model_fields["layers"].annotation) == LAYERS
    assert get_args(fields["sampler"].annotation) == search_section.SAMPLERS
    assert get_args(search_section.Objective) == search_section.OBJECTIVES
    assert set(METRICS) == set(CURVE_NAMES)
    assert set(CURVES) < set(METRICS)


def test_the_defaults_of_an_experiment_are_those_of_the_network() -> None:
    for training, config in (
        ({}, TrainConfig(epochs=training_section.EPOCHS)),
        ({"learning_rate": TrainConfig.learning_rate}, TrainConfig()),
    ):
        table = {"name": "x", "data": {"source": "iris"}, "training": training}
        assert spec.Experiment.model_validate(table).train_config() == config
