"""A study of a user's own network: the same table whatever runs it and whatever is killed, and the
same numbers everywhere.
"""

import io
import shutil
import signal
import subprocess
from contextlib import closing, suppress
from itertools import islice
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from mlflow import MlflowClient
from sklearn.datasets import load_iris

import sweeps
from experiments import datasets, experiment_file
from experiments.errors import DataError
from experiments.model import read_model
from experiments.records import PRUNED
from experiments.spec import Experiment
from sweeps.progress import Progress
from sweeps.storage.storage import open_storage
from sweeps.workspace import workspace
from tests.cluster import cluster
from tests.commands import SWEEPS
from tests.commands import sweeps as command
from tests.own import EDITS, NETWORK, options, trained_alone, write_experiment
from tests.processes import started
from tests.sweeps.test_same_table import recorded, search, tables

pytestmark = pytest.mark.usefixtures("tracker_here")
TRIALS = 16
TUNED = "parameters = { hidden = { low = 3, high = 9 }, dropout = { low = 0.0, high = 0.5 } }"
PRUNES = 'sweep.pruner="median"'
SGD = """
import numpy as np
from sklearn.linear_model import SGDClassifier


class Classifier:
    def __init__(self, model):
        self.model = model

    def predict(self, x):
        return self.model.predict_proba(x)


def train(split, lambdas, *, seed, epochs, batch_size, learning_rate):
    strength = lambdas.weight_l1 + lambdas.weight_l2
    model = SGDClassifier(
        loss="log_loss", penalty="elasticnet", alpha=strength or 1e-12, random_state=seed,
        l1_ratio=lambdas.weight_l1 / strength if strength else 0.0,
        learning_rate="constant", eta0=learning_rate,
    )
    for epoch in range(epochs):
        model.partial_fit(split.x_train, split.y_train, classes=np.arange(split.classes))
        chances = model.predict_proba(split.x_train)
        right = np.clip(chances[np.arange(len(chances)), split.y_train], 1e-7, 1)
        yield {"data_loss": -np.log(right).mean(), "network": Classifier(model)}
"""


def load(folder: Path, *edits: str) -> Experiment:
    return experiment_file.load(write_experiment(folder, NETWORK, TUNED), [*EDITS, *edits])


@pytest.fixture(scope="module", params=["whole", "pruned"])
def definition(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Experiment:
    return load(tmp_path_factory.mktemp("own"), *[PRUNES] * (request.param == "pruned"))


@pytest.fixture(scope="module")
def reference(definition: Experiment, tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    return search(tmp_path_factory.mktemp("reference"), definition, trials=TRIALS)


def test_workers_do_not_matter(
    definition: Experiment, reference: dict[str, bytes], tmp_path: Path
) -> None:
    for workers in (2, 3):
        folder = tmp_path / str(workers)
        assert search(folder, definition, trials=TRIALS, workers=workers) == reference
    assert (b"PRUNED" in reference["trials"]) == (definition.sweep.pruner is not None)
    widths = pd.read_csv(tmp_path / "2/reports/mine/trials.csv")["parameter_hidden"]
    assert widths.dtype == np.int64
    assert widths.between(3, 9).all()


def test_a_part_and_then_the_rest_is_the_whole(
    definition: Experiment, reference: dict[str, bytes], tmp_path: Path
) -> None:
    for trials in (2, 10, TRIALS):
        pieces = search(tmp_path, definition, trials=trials)
    assert pieces == reference


def test_a_generation_is_pruned_by_those_before_it(tmp_path: Path) -> None:
    """Not by its own trials, of which some may be recorded and others not."""
    definition = load(tmp_path, PRUNES, "sweep.objective=val_data_loss")
    found: dict[int, set[tuple[float, ...]]] = {2: set(), 3: set()}
    for trials in range(8, TRIALS):
        search(tmp_path, definition, trials=trials)
        with closing(workspace(tmp_path).open("mine", definition)) as study:
            found[trials // 4].add(study.medians())
    assert [len(one) for one in found.values()] == [1, 1]
    assert found[2] != found[3]


@pytest.mark.parametrize("definition", ["pruned"], indirect=True)
def test_killed_and_continued_is_the_whole(
    tmp_path: Path, made: Path, reference: dict[str, bytes]
) -> None:
    """A real command, real workers and SIGKILL, of the study that is harder to continue."""
    file, journal = write_experiment(tmp_path, NETWORK, TUNED), tmp_path / "studies/mine.journal"
    run = [
        "run", str(file), *options([*EDITS, PRUNES]), f"--trials={TRIALS}", "--workers=2",
        "--no-confirm", f"--tracking-uri=sqlite:///{shutil.copy(made, tmp_path)}",
    ]  # fmt: skip
    while not (journal.exists() and 5 < recorded(journal) < TRIALS):
        journal.unlink(missing_ok=True)  # the kill before came too late
        with started([SWEEPS, *run], cwd=tmp_path) as process:
            while process.poll() is None and not (journal.exists() and recorded(journal) > 5):
                with suppress(subprocess.TimeoutExpired):
                    process.wait(0.002)
            process.send_signal(signal.SIGKILL)
            process.wait()
    command(*run, cwd=tmp_path)
    assert tables(tmp_path, "mine") == reference


@pytest.fixture(scope="module")
def swept(tmp_path_factory: pytest.TempPathFactory, made: Path) -> sweeps.Sweep:
    """A study with pruned trials, confirmed on the test rows, and its model."""
    folder = tmp_path_factory.mktemp("swept")
    shutil.copy(made, folder / "mlflow.db")
    return sweeps.run(load(folder, PRUNES), trials=TRIALS, workers=2, directory=folder)


def test_csv_mlflow_and_optuna_agree(swept: sweeps.Sweep) -> None:
    """A pruned trial is one everywhere, and has its parameters and further numbers."""
    folder = swept.workspace.directory
    assert "WRONG" not in command("doctor", "mine", cwd=folder).stdout
    pruned = [trial for trial in swept.record.trials if trial.state == PRUNED]
    assert pruned
    assert swept.record.best not in pruned
    assert all(trial.pruned for trial in pruned)
    assert any(trial.epochs < 3 for trial in pruned)
    storage = open_storage(str(folder / "studies" / "mine.journal"))
    number = storage.get_study_id_from_name("mine")
    stored = {trial.number: trial for trial in storage.get_all_trials(number)}
    rows = pd.read_csv(folder / "reports/mine/trials.csv").set_index("trial")
    history = pd.read_csv(folder / "reports/mine/history.csv").set_index(["trial", "epoch"])
    client = MlflowClient(f"sqlite:///{folder}/mlflow.db")
    for trial in swept.record.trials:
        number, run = trial.trial, client.get_run(swept.runs.ids[trial.trial])
        assert stored[number].state.name == trial.state == rows.state[number]
        assert run.info.status == ("KILLED" if trial in pruned else "FINISHED")
        sizes = [
            point.value for point in client.get_metric_history(run.info.run_id, "weights/size")
        ]
        assert sizes[: trial.epochs] == list(trial.curves["weights/size"])
        assert history.loc[number]["weights/size"].tolist() == list(trial.curves["weights/size"])
        hidden = dict(trial.setting.parameters)["hidden"]
        assert stored[number].params["parameter_hidden"] == hidden == rows.parameter_hidden[number]
        assert run.data.params["parameter_hidden"] == str(hidden)


def test_the_kept_model_is_the_network_of_the_users_code(
    swept: sweeps.Sweep, tmp_path: Path
) -> None:
    experiment, verdict = swept.record.experiment, swept.record.verdict
    assert verdict is not None
    data = datasets.load(experiment.data, experiment.training.dtype)
    steps = trained_alone(verdict.used.setting, verdict.seeds[0], data.split.merged())
    network, _ = next(islice(steps, verdict.used.best_epoch - 1, None))
    raw = load_iris(as_frame=True).data
    x = data.preparation.apply(raw, "float32", where="iris")
    expected = network.predict(x)
    assert swept.model
    np.testing.assert_array_equal(swept.model.probabilities(raw), expected)
    raw.to_csv(tmp_path / "rows.csv", index=False)
    rows = [str(tmp_path / "rows.csv"), "--probabilities"]
    done = command("predict", "mine", *rows, cwd=swept.workspace.directory)
    predicted = pd.read_csv(io.StringIO(done.stdout)).filter(like="probability_")
    np.testing.assert_allclose(predicted, expected, atol=1e-9)


@pytest.mark.parametrize("file", ["model.json", "model.npz", "network/net.py"])
def test_a_model_that_was_changed_is_refused(
    swept: sweeps.Sweep, tmp_path: Path, file: str
) -> None:
    reports = shutil.copytree(swept.workspace.directory / "reports/mine", tmp_path / "copy")
    assert read_model(reports).network
    data = (reports / file).read_bytes()
    (reports / file).write_bytes(data.replace(b"network", b"Network", 1) + b"\n")
    with pytest.raises(DataError, match=r"not as sweeps wrote them .*sweeps confirm"):
        read_model(reports)


def test_a_confirmation_goes_on_where_it_was_interrupted(
    swept: sweeps.Sweep, tmp_path: Path, made: Path
) -> None:
    """With the same fresh seeds: the verdict, its table and the model are the same."""

    class Interrupted(Progress):
        def confirming(self, trained: int, networks: int) -> None:
            if trained >= 5:
                raise KeyboardInterrupt

    shutil.copy(made, tmp_path / "mlflow.db")
    experiment = load(tmp_path, PRUNES)
    with pytest.raises(KeyboardInterrupt):
        sweeps.run(experiment, trials=TRIALS, workers=1, directory=tmp_path, progress=Interrupted())
    assert not (tmp_path / "reports/mine/model.npz").exists()
    sweeps.confirm("mine", workers=1, directory=tmp_path, open_test=True)
    here, there = tmp_path / "reports/mine", swept.workspace.directory / "reports/mine"
    for name in ("confirm.csv", "model.npz"):
        assert (here / name).read_bytes() == (there / name).read_bytes()


def test_without_arrays_there_is_no_model_and_nothing_is_trained_for_it_again(
    tmp_path: Path, made: Path
) -> None:
    """The card says what to add."""
    shutil.copy(made, tmp_path / "mlflow.db")
    counted = NETWORK.replace("def arrays(", "def parts(").replace(
        "    x, y = split", "    open('trained', 'a').write('.')\n    x, y = split"
    )
    file = write_experiment(tmp_path, counted)
    sweep = sweeps.run(file, trials=6, edits=EDITS, workers=1, directory=tmp_path)
    assert (sweep.model, sweep.record.verdict is None) == (None, False)
    trained = (tmp_path / "trained").read_text()
    command("run", str(file), "--trials=6", "--workers=1", *options(), cwd=tmp_path)
    done = command("confirm", "mine", "--open-test", cwd=tmp_path)
    assert (tmp_path / "trained").read_text() == trained
    assert "arrays()" in done.stdout
    assert "load(arrays)" in done.stdout
    assert "WRONG" not in command("doctor", "mine", cwd=tmp_path).stdout


def test_a_learner_that_is_no_network(tmp_path: Path, made: Path) -> None:
    shutil.copy(made, tmp_path / "mlflow.db")
    file = write_experiment(tmp_path, SGD)
    edits = [*EDITS, "training.epochs=4", "lambdas.bias_l1=0", "lambdas.bias_l2=0"]
    sweep = sweeps.run(file, trials=8, edits=edits, workers=1, directory=tmp_path)
    assert [trial.state for trial in sweep.record.trials] == ["COMPLETE"] * 8
    assert sweep.record.unseeded == ""
    best = sweep.record.best
    assert best is not None
    assert best.val_accuracy is not None
    assert best.val_accuracy > 0.8
    assert sweep.record.verdict is not None


def test_a_cluster_has_the_same_tables_and_model(
    swept: sweeps.Sweep, tmp_path: Path, made: Path
) -> None:
    """Its workers are processes elsewhere: they see no file of the network."""
    shutil.copy(made, tmp_path / "mlflow.db")
    experiment = load(tmp_path, PRUNES)
    with cluster(0) as dask:
        dask.add(threads=2)  # networks of one process take turns
        dask.add()
        dask.await_workers(2)
        assert experiment.fingerprint == swept.record.fingerprint
        (tmp_path / "net.py").unlink()
        sweeps.run(experiment, trials=TRIALS, cluster=dask.address, directory=tmp_path)
    assert tables(tmp_path, "mine") == tables(swept.workspace.directory, "mine")
    for name in ("confirm.csv", "model.npz"):
        here, there = (one / "reports/mine" / name for one in (tmp_path, swept.workspace.directory))
        assert here.read_bytes() == there.read_bytes()
