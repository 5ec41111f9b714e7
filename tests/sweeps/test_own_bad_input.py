"""What can be wrong with a user's own network: one sentence with file and line, and no traceback.

The command runs in this process; the user's code runs in workers, as always.
"""

import signal
import threading
import time
from contextlib import suppress
from pathlib import Path
from subprocess import TimeoutExpired

import numpy as np
import psutil
import pytest

from experiments import experiment_file, loading, network
from experiments.errors import ExperimentError, InputError
from experiments.evaluation import EvaluationSpec, Job, Setting, TrialResult, evaluate_on
from nnreg import Lambdas, Split, Splits, TrainConfig
from sweeps.workspace import workspace
from tests.commands import SWEEPS, Done, carried_out
from tests.commands import sweeps as command
from tests.own import NETWORK, options, write_experiment
from tests.processes import started

pytestmark = pytest.mark.usefixtures("tracker_here")

X, Y = np.eye(6, dtype=np.float32), np.arange(6) % 3
SPLIT = Split(X, Y, X, Y)
LAST = '[training]\nkeep = "last"\n[sweep]\npruner = "median"'
BEGIN = "    x, y = split.x_train, split.y_train\n"


def here(text: str) -> int:
    """The line that has the mark."""
    lines = text.splitlines()
    return next((i for i, line in enumerate(lines, start=1) if "# HERE" in line), 0)


def changed(old: str, new: str) -> str:
    assert old in NETWORK
    return NETWORK.replace(old, new, 1)


def begun_by(*lines: str) -> str:
    """The network, whose train begins with other lines."""
    return changed(BEGIN, "".join(f"    {line}\n" for line in lines) + BEGIN)


def trained(folder: Path, text: str) -> TrialResult:
    (folder / "net.py").write_text(text)
    own = network.from_file(folder / "net.py", "train", folder, {})
    spec = EvaluationSpec(TrainConfig(epochs=2), "all", "", own=own)
    ((result,),) = evaluate_on(Splits((SPLIT,)), spec, [Job(Setting(Lambdas(), 0.1), (0,))])
    return result


def predicting(value: str, when: str = "True") -> str:
    """The network, with another predict."""
    text = changed('"network": network', f'"network": Other() if {when} else network')
    return f"{text}\nclass Other:\n    def predict(self, x):\n        return {value}\n"


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (begun_by("return"), "net.py: train yields nothing; yield {"),
        (
            changed('"data_loss": -np', '"loss": -np'),
            "net.py: train yields no data_loss that is a number (loss, regularization_loss,",
        ),
        (changed('"network": network', '"model": 1'), "net.py: train yields a network without"),
        (
            changed("        yield {", "        yield epoch, {"),
            "net.py: train yields a tuple; yield {",
        ),
        (
            predicting("np.zeros(len(x), int)"),
            "net.py: predict returns int64 of the shape (6,), which may be labels; it must be"
            " probabilities, of the shape (6, 3)",
        ),
        (
            predicting("np.ones((len(x), 2)) / 2"),
            "net.py: predict returns float64 of the shape (6, 2); it must be probabilities",
        ),
        (
            predicting("x[:, :3] * 5 - 1"),
            "net.py: predict returns [ 4. -1. -1.] for a row; it must be probabilities, of the"
            " shape (6, 3): end with a softmax",
        ),
        (predicting("x.nothing  # HERE"), "net.py, line {here}: AttributeError: 'numpy.ndarray'"),
        (
            begun_by("split.x_val @ split.x_val[:2, :2]  # HERE"),
            "net.py, line {here}: ValueError: matmul: Input operand 1 has a mismatch",
        ),
        (begun_by("raise SystemExit('no')  # HERE"), "net.py, line {here}: SystemExit: no"),
        (
            changed('"weights/size"', '"val_accuracy"'),
            "net.py: train yields val_accuracy, which the program records itself; give it another",
        ),
        (
            changed('"weights/size"', '"parameter_hidden"'),
            "net.py: train yields parameter_hidden, which the program records itself; give it",
        ),
        (
            changed('"weights/size"', '"weights//size"'),
            "net.py: train yields a number named 'weights//size'; a name has letters, digits, and",
        ),
        (
            changed('"weights/size": np', '**({} if epoch else {"size": 1}), "a": np'),
            "net.py: train yields other numbers than at the first epoch",
        ),
    ],
)
def test_a_network_that_cannot_be_used_fails_with_its_reason(
    tmp_path: Path, text: str, reason: str
) -> None:
    result = trained(tmp_path, text)
    assert (result.metrics, result.epochs, result.curves) == (None, 0, {})
    assert result.error is not None
    assert result.error.startswith(reason.replace("{here}", str(here(text)))), result.error
    assert len(result.error.splitlines()) == 1


@pytest.mark.parametrize(
    ("text", "how"),
    [
        (changed('"data_loss": -np', '"data_loss": np.nan if epoch else -np'), "data_loss"),
        (
            changed('"regularization_loss": ', '"regularization_loss": np.inf if epoch else '),
            "regularization_loss",
        ),
        (predicting("np.full((len(x), 3), np.nan)", "epoch"), "predict"),
    ],
)
def test_what_is_not_finite_has_diverged_and_is_no_failure(
    tmp_path: Path, text: str, how: str
) -> None:
    result = trained(tmp_path, text)
    assert (result.diverged, result.epochs) == (True, 2)
    assert result.error == f"diverged at epoch 2: {how} is not finite"
    assert result.metrics
    assert result.metrics.val_accuracy == 0


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("import numpy as np\n\ndef train(:\n", "model.source {file}: it cannot be read ("),
        ("x = 1\n1 / 0\n", "model.source net.py, line 2: ZeroDivisionError: division by zero"),
        ("\nimport nowhere_to_be_found\n", "model.source net.py, line 2: ModuleNotFoundError: No"),
        ("raise SystemExit(3)\n", "model.source net.py, line 1: SystemExit: 3"),
        (
            "def trains(split, lambdas):\n    pass\n",
            "model.function is 'train', and net.py has no such function; did you mean 'trains'?",
        ),
        (
            "def train(split, *, seed, epochs, batch_size, learning_rate, hidden):\n    pass\n",
            "net.py: train cannot be called (too many positional arguments); write def"
            " train(split, lambdas, *, seed, epochs, batch_size, learning_rate, hidden)",
        ),
        (
            "def train(split, lambdas, *, seed, epochs, batch_size, learning_rate):\n    pass\n",
            "net.py: train cannot be called (got an unexpected keyword argument 'hidden')",
        ),
    ],
)
def test_a_file_that_cannot_be_used_is_one_sentence(
    tmp_path: Path, text: str, sentence: str
) -> None:
    file = tmp_path / "net.py"
    file.write_text(text)
    with pytest.raises(ExperimentError) as raised:
        loading.check(network.from_file(file, "train", tmp_path, {}), ["hidden"])
    assert str(raised.value).startswith(sentence.format(file=file)), raised.value
    assert len(str(raised.value).splitlines()) == 1


@pytest.mark.parametrize(
    ("model", "more", "sentence"),
    [
        ('source = "net.txt"', "", "model.source is 'net.txt'; it must be a Python file, whose"),
        ('source = "not.py"', "", "model.source: there is no file {folder}/not.py; did you mean"),
        ('hidden = [3]\nsource = "net.py"', "", "unknown key model.hidden = [3]; it goes"),
        ('function = "fit"', "", "unknown key model.function = 'fit'"),
        ('parameters = { width = 3 }', "", "unknown key model.parameters"),
        ('source = "net.py"\nparameters = { seed = 3 }', "", "'seed' cannot be a parameter"),
        ('source = "net.py"\nparameters = { "a-b" = 3 }', "", "'a-b' cannot be a parameter"),
        ('source = "net.py"\nparameters = { class = 3 }', "", "'class' cannot be a parameter"),
        (
            'source = "net.py"\nparameters = { hidden = { low = 8, high = 8 } }', "",
            "low = 8 is not below high = 8; write low < high, or one value to fix it",
        ),
        (
            'source = "net.py"\nparameters = { hidden = { low = 0, high = 8, log = true } }', "",
            "low is 0; a log axis needs low > 0; leave log out",
        ),
        (
            'source = "net.py"', '[training]\noptimizer = "sgd"',
            "training.optimizer goes with this program's network, and model.source names your own",
        ),
        ('source = "net.py"', '[lambdas]\nlayers = "hidden"', "lambdas.layers goes with this"),
        ("hidden = [3]", '[sweep]\npruner = "median"', "sweep.pruner is 'median', and goes with"),
        ('source = "net.py"', LAST, "sweep.pruner is 'median', and compares best epochs"),
        ('source = "net.py"', '[sweep]\npruner = "mean"', "sweep.pruner is 'mean'; it must be"),
    ],
)  # fmt: skip
def test_a_wrong_key_is_one_sentence(tmp_path: Path, model: str, more: str, sentence: str) -> None:
    file = write_experiment(tmp_path)
    file.write_text(f'name = "mine"\n[data]\nsource = "iris"\n[model]\n{model}\n{more}\n')
    with pytest.raises(ExperimentError) as raised:
        assert experiment_file.load(file).fingerprint
    assert sentence.format(folder=tmp_path) in str(raised.value)
    assert len(str(raised.value).splitlines()) == 1


def run(file: Path, cwd: Path, *more: str, status: int = 0) -> Done:
    return command("run", str(file), *options(), "--no-confirm", *more, cwd=cwd, status=status)


RISKY = begun_by(
    "import os, subprocess, threading",
    "print('read', open('rows.txt').read())",
    "subprocess.Popen(['sleep', '98765'])",
    "os.system('echo by the shell')",
    "threading.Thread(target=print, args=('from a thread',)).start()",
    "if 0.1 < learning_rate < 0.2:",
    "    input('how fast?')  # HERE",
    "if 0.2 < learning_rate < 0.3:",
    "    os._exit(7)",
)


def test_a_trial_that_fails_leaves_the_others_alone(tmp_path: Path) -> None:
    """It prints, starts threads and processes, and reads a file beside the experiment file."""
    file = write_experiment(tmp_path / "there", RISKY)
    (file.parent / "rows.txt").write_text("rows")
    (elsewhere := tmp_path / "elsewhere").mkdir()
    done = run(file, elsewhere, "--trials=4", "--workers=2", "-v")
    record = workspace(elsewhere).record("mine")
    assert [one.state for one in record.trials] == ["COMPLETE", "FAIL", "FAIL", "COMPLETE"]
    assert (
        record.trials[1].error == f"net.py, line {here(RISKY)}: EOFError: EOF when reading a line"
    )
    assert record.trials[2].error == "3 attempts failed: its worker ended with exit code 7"
    for printed in ("read rows", "by the shell", "from a thread"):
        assert any(line.endswith(f": {printed}") for line in done.stderr.splitlines()), printed
        assert printed not in done.stdout
    assert not sleeping("98765")
    assert (record.unseeded, "two evaluations" in done.stderr) == ("", False)


def sleeping(seconds: str) -> list[psutil.Process]:
    found = []
    for process in psutil.process_iter(["cmdline", "status"]):
        is_one = process.info["cmdline"] == ["sleep", seconds]
        found += [process] * (is_one and process.info["status"] != psutil.STATUS_ZOMBIE)
    return found


def test_where_all_fail_the_run_ends_after_the_first_generation(tmp_path: Path) -> None:
    text = begun_by("split / undefined  # HERE")
    file = write_experiment(tmp_path, text)
    done = run(file, tmp_path, "--trials=12", "--workers=1", status=2)
    assert done.stderr.splitlines()[-1] == (
        "sweeps: study mine: all 4 networks of the first generation failed (net.py, line"
        f" {here(text)}: NameError: name 'undefined' is not defined); correct that, and start"
        " another study with --study NAME"
    )
    assert len(workspace(tmp_path).record("mine").trials) == 4


def test_a_file_that_ends_its_process_is_one_sentence(tmp_path: Path) -> None:
    file = write_experiment(tmp_path, "import os\nos._exit(4)\n")
    done = run(file, tmp_path, "--trials=4", "--workers=1", status=2)
    assert done.stderr.splitlines()[-1] == (
        "sweeps: model.source net.py cannot be imported: its worker ended with exit code 4;"
        " correct it"
    )


def test_a_mistake_that_is_corrected_before_the_first_trial_costs_nothing(tmp_path: Path) -> None:
    """An edit afterwards is another network, and one during the study changes nothing."""
    edits_itself = begun_by("open(__file__, 'a').write('\\n# edited')")
    file = write_experiment(tmp_path, edits_itself.replace("def train(", "def trained("))
    done = run(file, tmp_path, "--trials=4", "--workers=1", status=2)
    assert "did you mean 'trained'?" in done.stderr
    (tmp_path / "net.py").write_text(edits_itself)
    run(file, tmp_path, "--trials=4", "--workers=1")
    lines = (tmp_path / "net.py").read_text().splitlines()
    assert lines.count("# edited") == 5  # trial 0 twice
    states = [one.state for one in workspace(tmp_path).record("mine").trials]
    assert states == ["COMPLETE"] * 4
    done = run(file, tmp_path, "--trials=5", "--workers=1", status=2)
    assert done.stderr.splitlines()[-1] == (
        "sweeps: study mine belongs to another experiment: net.py is not as the study began with"
        " it (or a module that it imports); undo the change, or start another study with --study"
        " NAME"
    )
    (tmp_path / "net.py").write_text(edits_itself)
    run(file, tmp_path, "--trials=5", "--workers=1")


def test_random_numbers_of_its_own_are_noticed(tmp_path: Path) -> None:
    text = begun_by("np.random.seed(np.random.default_rng().integers(2**32))")
    file = write_experiment(tmp_path, text)
    done = run(file, tmp_path, "--trials=4", "--workers=2")
    (note,) = [line for line in done.stderr.splitlines() if line.startswith("two evaluations")]
    assert note.startswith("two evaluations of trial 0 differ (data_loss ")
    assert workspace(tmp_path).record("mine").unseeded in note


def test_what_runs_for_ever_ends_with_ctrl_c(tmp_path: Path) -> None:
    file = write_experiment(tmp_path, begun_by("open('begun', 'w').close()", "while True: pass"))
    command = [SWEEPS, "run", str(file), *options(), "--workers=1"]
    with started(command, cwd=tmp_path) as process:
        while not (tmp_path / "begun").exists() and process.poll() is None:
            with suppress(TimeoutExpired):
                process.wait(0.05)
        family = psutil.Process(process.pid).children(recursive=True)
        start = time.monotonic()
        process.send_signal(signal.SIGINT)
        error = process.communicate(timeout=60)[1]
        took = time.monotonic() - start
    assert process.returncode == 130
    assert "Traceback" not in error
    assert took < 3
    assert not psutil.wait_procs(family, timeout=10)[1]


def test_what_is_not_a_function_is_no_network(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"^model is 3; it must be a function or the path of a"):
        experiment_file.load("iris", model=3)  # type: ignore[arg-type]
    lock = threading.Lock()
    with pytest.raises(InputError, match=r"cannot be sent to a worker \(cannot pickle '_thread"):
        experiment_file.load("iris", model=lambda split, lambdas, **rest: lock)
    done = carried_out("run", "iris", "--set=model.source=a:b", cwd=tmp_path)
    assert done.returncode == 2
    assert "is given from Python: sweeps.run(..., model=FUNCTION)" in done.stderr
