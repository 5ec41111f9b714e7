"""What a user's own network is known by: the text of its code, and of what that uses."""

import importlib.util
import json
import shutil
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

from experiments import experiment_file, function_sources, loading, network
from experiments.errors import ExperimentError
from tests.own import EDITS, NETWORK, write_experiment

FILES = {
    "net.py": "import numpy as np\nimport layers\nfrom parts import dense, loss as losses\n\n"
    "def train(split, lambdas, *, seed, epochs, batch_size, learning_rate):\n    import later\n",
    "layers.py": "from helper import one\nimport json",
    "helper.py": "one = 1",
    "later.py": "two = 2",
    "parts/__init__.py": "",
    "parts/dense.py": "from . import common\nfrom .deep.er import three",
    "parts/common.py": "",
    "parts/loss.py": "",
    "parts/deep/__init__.py": "",
    "parts/deep/er.py": "three = 3",
    "parts/unused.py": "",
    "unused.py": "",
    "json_.py": "",
}
USED = set(FILES) - {"parts/unused.py", "unused.py", "json_.py"}


def write(folder: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)


def of_file(folder: Path) -> network.OwnNetwork:
    return network.from_file(folder / "net.py", "train", folder, {})


def test_sources_are_the_file_and_what_it_imports_beside_it(tmp_path: Path) -> None:
    """Also at second hand and out of packages; nothing that is installed."""
    write(tmp_path, FILES)
    own = of_file(tmp_path)
    assert dict(own.sources) == {name: FILES[name] for name in USED}
    for name in FILES:
        write(tmp_path, {name: FILES[name] + "\n# edited"})
        assert (of_file(tmp_path).digest != own.digest) == (name in USED), name
        write(tmp_path, {name: FILES[name]})
    assert of_file(tmp_path).digest == own.digest
    write(tmp_path / "moved", FILES)
    assert of_file(tmp_path / "moved").digest == own.digest


def test_a_folder_without_init_is_no_package(tmp_path: Path) -> None:
    """It may be there for something else, such as what a tracker writes beside a script."""
    write(tmp_path, {"net.py": "import numpy\nimport parts.dense\n", "parts/dense.py": ""})
    (tmp_path / "numpy").mkdir()
    assert list(of_file(tmp_path).sources) == ["net.py"]
    with pytest.raises(ExperimentError, match=r"net.py, line 2: ModuleNotFoundError: No module"):
        loading.functions(of_file(tmp_path))


def test_the_code_runs_from_its_texts_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A worker of a cluster has no such files. Another network's modules are gone."""
    write(tmp_path, FILES)
    own = of_file(tmp_path)
    for name in FILES:
        (tmp_path / name).unlink()
    train = loading.functions(own).train
    module = sys.modules["net"]
    assert module.__file__ == str(tmp_path / "net.py")
    assert module.losses.__name__ == "parts.loss"
    assert sys.modules["parts.dense"].three == 3
    train(None, None, seed=0, epochs=1, batch_size=1, learning_rate=1)
    assert sys.modules["later"].two == 2
    write(tmp_path / "other", {"net.py": "def train(): pass"})
    loading.functions(of_file(tmp_path / "other"))
    assert not {"parts", "parts.dense", "layers", "later"} & set(sys.modules)


def test_a_file_with_the_name_of_a_package_of_ours_is_refused(tmp_path: Path) -> None:
    write(tmp_path, {"net.py": "import experiments", "experiments.py": ""})
    with pytest.raises(ExperimentError, match=r"experiments.*; rename"):
        of_file(tmp_path)


def test_the_fingerprint_follows_code_function_and_fixed_parameters(tmp_path: Path) -> None:
    file = write_experiment(tmp_path, NETWORK + "\nfit = train\n")

    def fingerprint(*edits: str) -> str:
        return experiment_file.load(file, edits).fingerprint

    before = fingerprint()
    others = [
        fingerprint(f"model.{edit}")
        for edit in ("function=fit", "parameters.hidden=3", "parameters.hidden={low=3, high=4}")
    ]
    (tmp_path / "net.py").write_text(NETWORK)
    others.append(fingerprint())
    assert len({before, *others}) == 5
    renamed = tmp_path / "elsewhere"
    assert experiment_file.load(write_experiment(renamed)).fingerprint == others[-1]


MODULE = """
import math
import numpy as np
import beside
import package.inner

RATE = 0.5
SIZES = [3, 4]
TABLE = np.arange(3.0)
CHOICES = {"relu": lambda x: np.maximum(0, x), "tanh": np.tanh}
OTHER = 1
x = 2  # a local name of train


class Base:
    scale = 1


class Dense(Base):
    def forward(self, x):
        return activate(x) * RATE


def activate(x):
    return CHOICES["relu"](x)


def unused():
    return OTHER


def make(width):
    def train(split, lambdas, rate=RATE, *, seed, **rest):
        x = [Dense() for _ in SIZES]
        return OPTIMIZER.step(width, TABLE, beside.helper(), package.inner.name, math.pi)
    return train


class Adam:
    def __init__(self, rate):
        self.rate = rate

    def step(self, *rest):
        return self.rate


OPTIMIZER = Adam(0.1)
train = make(3)
"""
BESIDE = "import further\n\ndef helper():\n    return further.value\n"
CODE = {
    "script.py": MODULE,
    "beside.py": BESIDE,
    "further.py": "value = 1\n",
    "package/__init__.py": "",
    "package/inner.py": "name = 'inner'\n",
}
COUNTS = [
    ("script.py", "RATE = 0.5", "RATE = 0.25"),
    ("script.py", "[3, 4]", "[3, 5]"),
    ("script.py", "arange(3.0)", "arange(4.0)"),
    ("script.py", "scale = 1", "scale = 2"),
    ("script.py", "maximum(0, x)", "maximum(1, x)"),
    ("script.py", "np.tanh", "np.sinh"),
    ("script.py", "* RATE", "+ RATE"),
    ("script.py", "Adam(0.1)", "Adam(0.2)"),
    ("script.py", "return self.rate", "return 0"),
    ("script.py", "make(3)", "make(4)"),
    ("script.py", "math.pi", "math.e"),
    ("beside.py", "further.value", "further.value + 1"),
    ("further.py", "1", "2"),
    ("package/inner.py", "inner", "other"),
]
DOES_NOT = [
    ("script.py", "OTHER = 1", "OTHER = 2"),
    ("script.py", "return OTHER", "return 3"),
    ("script.py", "x = 2 ", "x = 3 "),
    ("script.py", "import math", "import math  # another line\n\n"),
]


def imported(folder: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The script as a module; what it imports beside it is imported again."""
    monkeypatch.setattr(sys, "dont_write_bytecode", True)  # a second edit within one second
    monkeypatch.setattr(sys, "path", [str(folder), *sys.path])
    for name in ("script", "beside", "further", "package", "package.inner"):
        sys.modules.pop(name, None)
    importlib.invalidate_caches()
    return importlib.import_module("script")


def digest_of(folder: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    return network.from_function(imported(folder, monkeypatch).train, {}).digest


def test_a_function_is_known_by_what_it_uses_and_no_other_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path, CODE)
    before = digest_of(tmp_path, monkeypatch)
    for edits, same in ((COUNTS, False), (DOES_NOT, True)):
        for name, old, new in edits:
            assert old in CODE[name]
            write(tmp_path, {name: CODE[name].replace(old, new)})
            assert (digest_of(tmp_path, monkeypatch) == before) == same, (name, old, new)
            write(tmp_path, {name: CODE[name]})
    assert digest_of(tmp_path, monkeypatch) == before


def test_a_function_of_a_module_travels_with_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path, CODE)
    own = network.from_function(imported(tmp_path, monkeypatch).train, {})
    program = (
        "import pickle, sys; train = pickle.load(sys.stdin.buffer);"
        " print(train(None, None, seed=0))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], input=own.pickled, capture_output=True, check=True
    )
    assert done.stdout == b"0.1\n"


@pytest.mark.parametrize("name", ["json", "numpy", "experiments"])
def test_nothing_that_is_installed_is_beside_a_script(name: str) -> None:
    """Python, its packages and this program may lie below the folder that one works in."""
    script, module = ModuleType("script"), sys.modules[name]
    assert module.__file__ is not None
    for above in (2, 3):
        script.__file__ = str(
            Path(module.__file__).parents[above - (name == "experiments")] / "a.py"
        )
        found = {one.__name__.partition(".")[0] for one in function_sources.beside(script)}
        assert not {"json", "random", "numpy", "pytest", "experiments", "sweeps", "nnreg"} & found


SCRIPT = """
import json, sys
import numpy as np
import sweeps
from experiments import experiment_file

{code}

fingerprint = experiment_file.load("iris", {edits}, train).fingerprint
states = []
for trials in {trials}:
    where = dict(confirm=False, tracking_uri=sys.argv[1], workers=2, edits={edits})
    found = sweeps.run("iris", model=train, trials=trials, **where)
    assert found.record.fingerprint == fingerprint
    states = [trial.state for trial in found.record.trials]
print(json.dumps([fingerprint, states]))
"""


def test_a_script_without_a_main_guard_runs_and_is_known_again(tmp_path: Path, made: Path) -> None:
    def run(code: str, trials: list[int]) -> list[object]:
        text = SCRIPT.format(code=code, edits=list(EDITS), trials=trials)
        (tmp_path / "script.py").write_text(text)
        command = [sys.executable, "script.py", f"sqlite:///{shutil.copy(made, tmp_path)}"]
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
        assert (done.returncode, done.stderr) == (0, "")
        found: list[object] = json.loads(done.stdout)
        return found

    fingerprint, states = run(NETWORK, [4])
    assert states == ["COMPLETE"] * 4
    assert run(f"unused = 3\n{NETWORK}\ndef other(): pass\n", []) == [fingerprint, []]
    assert run(NETWORK.replace("0.5 *", "0.4 *"), [])[0] != fingerprint
