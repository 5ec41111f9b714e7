"""The house: who may import whom, doors that stay lazy, no file too long, no second definition of a
setting.
"""

import ast
import subprocess
import sys
from pathlib import Path
from typing import get_args

import pytest

from experiments import spec
from experiments.evaluation import CURVES, METRICS
from nnreg import CURVE_NAMES, TrainConfig
from nnreg import config as nnreg_config
from nnreg.lambdas import LAYERS

ROOT = Path(__file__).parents[1]
PACKAGES = ("nnreg", "experiments", "sweeps")
FILES = [path for package in PACKAGES for path in sorted((ROOT / package).rglob("*.py"))]
HOMES = {
    "optuna": {
        "sweeps/search/study.py",
        "sweeps/search/samplers.py",
        "sweeps/search/own_sampler.py",
        "sweeps/search/study_record.py",
        "sweeps/storage/journal.py",
        "sweeps/search/mirror.py",
        "sweeps/storage/storage.py",
        "sweeps/storage/attributes.py",
        "sweeps/workspace.py",
    },
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
    {"session"},
    {"sweep"},
    {"checkup"},
    {"cli"},
)


def imported(path: Path) -> set[str]:
    """The top-level packages that a file imports when it runs, wherever in it."""
    names = set()
    tree = ast.parse(path.read_text())
    typing_only = {
        id(node) for branch in ast.walk(tree) if is_typing_only(branch) for node in ast.walk(branch)
    }
    for node in ast.walk(tree):
        if id(node) in typing_only:
            continue
        if isinstance(node, ast.Import):
            names |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names.add(node.module.split(".")[0])
    return names


def is_typing_only(node: ast.AST) -> bool:
    return (
        isinstance(node, ast.If)
        and isinstance(node.test, ast.Name)
        and node.test.id == "TYPE_CHECKING"
    )


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_imports_point_one_way(path: Path) -> None:
    package = path.relative_to(ROOT).parts[0]
    above = PACKAGES[PACKAGES.index(package) + 1 :]
    assert not imported(path) & set(above)
    if package == "nnreg":
        more = {"sklearn", "threadpoolctl"} if path.name == "estimator.py" else set()
        assert imported(path) <= set(sys.stdlib_module_names) | {"numpy", "nnreg"} | more
    for engine, homes in HOMES.items():
        if engine in imported(path):
            assert any(str(path.relative_to(ROOT)).startswith(home) for home in homes), engine


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


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_file_can_be_read_in_one_sitting(path: Path) -> None:
    text = path.read_text()
    assert len(text.splitlines()) <= 300
    docstring = ast.get_docstring(ast.parse(text))
    assert docstring or not text


@pytest.mark.parametrize(
    ("door", "closed"),
    [
        ("nnreg", ["pandas", "sklearn", "optuna", "mlflow"]),
        ("experiments", ["numpy", "pandas", "sklearn", "optuna", "mlflow"]),
        ("experiments.model", ["pandas", "sklearn", "optuna", "mlflow"]),
        ("experiments.datasets", ["pandas", "sklearn", "optuna", "mlflow"]),
        ("experiments.evaluation", ["pandas", "sklearn", "scipy", "optuna", "mlflow", "pydantic"]),
        ("sweeps", ["numpy", "pandas", "sklearn", "optuna", "mlflow"]),
        ("sweeps.cli", ["numpy", "pandas", "sklearn", "optuna", "mlflow", "plotly"]),
        ("sweeps.search.driver", ["pandas", "sklearn", "mlflow"]),
        ("sweeps.sweep", ["pandas", "sklearn", "scipy", "mlflow", "plotly"]),
    ],
)
def test_doors_are_lazy(door: str, closed: list[str]) -> None:
    program = f"import sys, {door}; print(*sys.modules)"
    loaded = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    ).stdout.split()
    assert not set(closed) & set(loaded)


def test_what_the_door_of_sweeps_shows() -> None:
    import sweeps

    assert sorted(sweeps.__all__) == [
        "Experiment",
        "Sweep",
        "SweepsError",
        "confirm",
        "objective",
        "run",
    ]
    assert all(getattr(sweeps, name) for name in sweeps.__all__)
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        sweeps.nothing  # to look is the test  # noqa: B018


def test_choices_and_names_agree_between_packages() -> None:
    fields = spec.Training.model_fields | spec.ModelSection.model_fields | spec.SweepSection.model_fields
    assert get_args(fields["optimizer"].annotation) == nnreg_config.OPTIMIZERS
    assert get_args(fields["initialization"].annotation) == nnreg_config.INITIALIZATIONS
    assert get_args(fields["dtype"].annotation) == nnreg_config.DTYPES
    assert get_args(spec.LambdaAxes.model_fields["layers"].annotation) == LAYERS
    assert get_args(fields["sampler"].annotation) == spec.SAMPLERS
    assert get_args(spec.Objective) == spec.OBJECTIVES
    assert set(METRICS) == set(CURVE_NAMES)
    assert set(CURVES) < set(METRICS)


def test_the_defaults_of_an_experiment_are_those_of_the_network() -> None:
    experiment = spec.Experiment.model_validate({"name": "x", "data": {"source": "iris"}})
    assert experiment.train_config() == TrainConfig()
