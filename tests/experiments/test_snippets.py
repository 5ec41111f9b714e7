"""Elsewhere: each formula against the library that it is for, and the printed lines run as they are
printed.
"""

import dataclasses
import tomllib
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from sklearn.exceptions import ConvergenceWarning
from sklearn.neural_network import MLPClassifier

from experiments import experiment_file
from experiments.records import StudyRecord
from experiments.reports.snippets import Snippet, snippets
from experiments.verdict import RECOMMENDED, SEALED, Setting, Verdict
from nnreg import LAMBDA_NAMES, Dense, Fit, Lambdas, Split, train
from tests.needs import needs_module
from tests.studies import make_study

ALL_FOUR = Lambdas(weight_l1=0.02, weight_l2=0.03, bias_l1=0.04, bias_l2=0.05)
"""Strong, so that half or twice of one is far outside every tolerance here."""
CASES = [
    (ALL_FOUR, "all"),
    (ALL_FOUR, "hidden"),
    (Lambdas(weight_l2=0.03), "all"),
    (Lambdas(bias_l2=0.05, weight_l1=0.02), "hidden"),
    (Lambdas(bias_l1=0.04), "all"),
    (Lambdas(), "hidden"),
]
HIDDEN = (6, 5)
on_keras = pytest.mark.filterwarnings(
    # PyTorch 2.13's tensors do not take the argument:
    # https://numpy.org/devdocs/numpy_2_0_migration_guide.html
    "ignore:__array__ implementation doesn't accept a copy keyword:DeprecationWarning"
)
TRAINING = {
    "epochs": 3,
    "batch_size": "full",
    "learning_rate": 0.05,
    "momentum": 0.5,
    "beta_1": 0.8,
    "beta_2": 0.99,
}


@pytest.fixture(scope="module")
def torch() -> Iterator[ModuleType]:
    """PyTorch on one thread: a step of so small a network takes 0.3 ms there, and 70 ms on four."""
    module = needs_module("torch")
    threads = module.get_num_threads()
    module.set_num_threads(1)
    yield module
    module.set_num_threads(threads)


@pytest.fixture(scope="module")
def keras(torch: ModuleType, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ModuleType]:
    """Keras on PyTorch; it reads the environment when it is first imported, and would write into
    the home directory.
    """
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("KERAS_BACKEND", "torch")
        patch.setenv("KERAS_HOME", str(tmp_path_factory.mktemp("keras")))
        yield needs_module("keras")


@pytest.fixture(scope="module")
def split() -> Split:
    """Three overlapping clouds in four dimensions: 41 rows to train on, 19 to validate on."""
    rng = np.random.default_rng(3)
    y = rng.integers(0, 3, size=60)
    x = rng.normal(size=(60, 4)) + y[:, np.newaxis]
    return Split(x[:41], y[:41], x[41:], y[41:])


def confirmed(
    lambdas: Lambdas, layers: str = "all", hidden: tuple[int, ...] = HIDDEN, **training: Any
) -> StudyRecord:
    """A study whose verdict recommends these lambdas, for the rows of `split`."""
    verdict = Verdict(
        basis={},
        objective="val_accuracy",
        seeds=(1, 2),
        margin=0.01,
        settings=(
            Setting(role=RECOMMENDED, trial=1, lambdas=lambdas, mean=0.9, behind=0.0, error=0.0),
        ),
        tied=(1,),
        tolerances=(),
        best_in_search=0.9,
        best_on_fresh_seeds=0.9,
        rows={"training": 41, "validation": 19, "test": 0},
        majority=0.4,
        diverged=0,
        word=SEALED,
    )
    sections = {
        "model": {"hidden": hidden},
        "training": TRAINING | training,
        "lambdas": {"layers": layers},
    }
    return dataclasses.replace(make_study(1, **sections), verdict=verdict)


def written(study: StudyRecord) -> dict[str, Snippet]:
    return {snippet.title: snippet for snippet in snippets(study)}


def run(code: str, split: Split, **names: Any) -> dict[str, Any]:
    """What a user has after pasting these lines below the four arrays."""
    namespace = {**vars(split), **names}
    exec(code, namespace)
    return namespace


def trained(study: StudyRecord, split: Split, initial: Any = None) -> Fit:
    """The network that the recommendation means here."""
    experiment = study.experiment
    assert study.verdict is not None
    config, lambdas = experiment.train_config(), study.verdict.recommended
    last = lambdas if experiment.lambdas.layers == "all" else Lambdas()
    return train(split, config, [(*[lambdas] * len(config.hidden), last)], initial=initial)[0]


def test_nothing_before_a_confirmation() -> None:
    assert snippets(make_study()) == ()


def test_l1_at_zero_is_as_the_notes_say(torch: ModuleType) -> None:
    zero = torch.zeros(1, requires_grad=True)
    zero.abs().sum().backward()
    layer = Dense(1, 1, bias_regularizer_l1=0.04)
    layer.forward(np.zeros((1, 1)))
    layer.backward(np.zeros((1, 1)))
    assert zero.grad.item() == 0
    assert layer.dbiases.item() == 0.04


@pytest.mark.parametrize(("lambdas", "layers"), CASES)
def test_the_lines_for_python(lambdas: Lambdas, layers: str, split: Split) -> None:
    study = confirmed(lambdas, layers, batch_size=16, decay=5e-7, dtype="float64", seed=5)
    fit = run(written(study)["Here, in Python"].code, split)["fit"]
    expected = trained(study, split)
    for ours, theirs in zip(fit.parameters, expected.parameters, strict=True):
        assert all(np.array_equal(*pair) for pair in zip(ours, theirs, strict=True))
    assert np.array_equal(fit.total_loss, expected.total_loss)


@pytest.mark.parametrize(("lambdas", "layers"), CASES)
def test_the_lines_of_the_experiment_file(lambdas: Lambdas, layers: str, tmp_path: Path) -> None:
    table = tomllib.loads(written(confirmed(lambdas, layers))["Here, in the experiment file"].code)
    experiment = experiment_file.parse(
        {"name": "x", "data": {"source": "iris"}} | table, "x.toml", tmp_path
    )
    assert experiment.lambdas.axes == dict(zip(LAMBDA_NAMES, lambdas.as_tuple(), strict=True))
    assert experiment.lambdas.layers == layers


@pytest.mark.parametrize("optimizer", ["adam", "sgd"])
@pytest.mark.parametrize(("lambdas", "layers"), CASES)
def test_the_lines_for_pytorch(
    lambdas: Lambdas, layers: str, optimizer: str, split: Split, torch: ModuleType
) -> None:
    """From the same initial weights they train the same network as here."""
    study = confirmed(lambdas, layers, optimizer=optimizer)
    torch.manual_seed(0)
    linear = [torch.nn.Linear(*widths) for widths in ((4, 6), (6, 5), (5, 3))]
    initial = [
        (layer.weight.detach().numpy().T, layer.bias.detach().numpy()[np.newaxis])
        for layer in linear
    ]
    torch.manual_seed(0)
    model = run(written(study)["PyTorch"].code, split)["model"]
    for layer, (weights, biases) in zip(
        model[::2], trained(study, split, initial).parameters, strict=True
    ):
        # Three steps in float32: 1e-7 of numbers near 1, which Adam makes larger where a gradient
        # is small.
        assert layer.weight.detach().numpy() == pytest.approx(weights.T, abs=1e-5)
        assert layer.bias.detach().numpy() == pytest.approx(biases[0], abs=1e-5)


@on_keras
@pytest.mark.parametrize(
    ("optimizer", "tolerance"),
    [
        ("sgd", 1e-5),  # three steps in float32, 1e-7 of numbers near 1 each
        (
            "adam",
            1e-3,
        ),  # epsilon's place is another: it matters where a gradient is small; a step is 0.05
    ],
)
@pytest.mark.parametrize(("lambdas", "layers"), CASES)
def test_the_lines_for_keras(
    lambdas: Lambdas, layers: str, optimizer: str, tolerance: float, split: Split, keras: ModuleType
) -> None:
    """From the same initial weights, which they are given before they train, they train the same
    network as here.
    """
    study = confirmed(lambdas, layers, optimizer=optimizer)
    before, start, after = written(study)["Keras"].code.partition("model.fit(")
    names = run(before, split)
    names["model"].build((None, 4))
    rng = np.random.default_rng(4)
    initial = [
        (rng.normal(size=shape), rng.normal(size=(1, shape[1])))
        for shape in ((4, 6), (6, 5), (5, 3))
    ]
    names["model"].set_weights(
        [array for weights, biases in initial for array in (weights, biases[0])]
    )
    exec(start + after, names)
    fit = trained(study, split, initial)
    found = names["model"].get_weights()
    for weights, biases, expected in zip(found[::2], found[1::2], fit.parameters, strict=True):
        assert weights == pytest.approx(expected[0], abs=tolerance)
        assert biases == pytest.approx(expected[1][0], abs=tolerance)
    x, y = split.x_train, split.y_train
    assert names["model"].evaluate(x, y, verbose=0)[0] == pytest.approx(
        fit.total_loss[-1], rel=tolerance
    )  # the penalty included


@pytest.mark.parametrize(
    ("optimizer", "tolerance"),
    [
        ("sgd", 1e-13),  # float64, and the rows in another order
        (
            "adam",
            1e-3,
        ),  # epsilon's place is another: it matters where a gradient is small; a step is 0.05
    ],
)
def test_the_lines_for_scikit_learn(optimizer: str, tolerance: float, split: Split) -> None:
    """From the same initial weights they train the same network as here, as far as there is one."""
    study = confirmed(Lambdas(weight_l2=0.03), optimizer=optimizer, dtype="float64")
    np.random.seed(0)  # what MLPClassifier draws from  # noqa: NPY002
    with pytest.warns(ConvergenceWarning):
        start = MLPClassifier(HIDDEN, solver="sgd", learning_rate_init=1e-300, max_iter=1).fit(
            split.x_train, split.y_train
        )
    np.random.seed(0)  # noqa: NPY002
    with pytest.warns(ConvergenceWarning):
        model = run(written(study)["scikit-learn"].code, split)["model"]
    fit = trained(
        study,
        split,
        [(w, b[np.newaxis]) for w, b in zip(start.coefs_, start.intercepts_, strict=True)],
    )
    for weights, biases, expected in zip(
        model.coefs_, model.intercepts_, fit.parameters, strict=True
    ):
        assert weights == pytest.approx(expected[0], abs=tolerance)
        assert biases == pytest.approx(expected[1][0], abs=tolerance)


def test_scikit_learn_trains_as_many_epochs_without_progress(split: Split) -> None:
    study = confirmed(ALL_FOUR, batch_size=16, epochs=15, learning_rate=1e-9)
    with pytest.warns(ConvergenceWarning):
        model = run(written(study)["scikit-learn"].code, split)["model"]
    assert model.n_iter_ == 15
    assert model.alpha == 2 * 0.03 * 16
    assert model.batch_size == 16


@on_keras
@pytest.mark.parametrize("lambdas", [ALL_FOUR, Lambdas()])
@pytest.mark.parametrize(("layers", "hidden"), [("hidden", (6,)), ("hidden", ()), ("all", ())])
def test_every_line_runs_on_small_batches_and_without_hidden_layers(
    lambdas: Lambdas, layers: str, hidden: tuple[int, ...], split: Split, keras: ModuleType
) -> None:
    """And where a class is among the validation rows alone."""
    split = dataclasses.replace(split, y_val=np.where(split.y_val == 2, 3, split.y_val))
    found = written(confirmed(lambdas, layers, hidden, batch_size=16, epochs=1))
    run(found["Here, in Python"].code, split)
    for title in ("PyTorch", "Keras"):
        assert run(found[title].code, split)["classes"] == 4
    with pytest.warns(ConvergenceWarning):
        run(found["scikit-learn"].code, split)
    off = not lambdas.on or (layers == "hidden" and not hidden)
    assert all(snippet.note.startswith("No regularization.") == off for snippet in found.values())


def test_the_notes_say_what_cannot_be_written() -> None:
    note = written(confirmed(ALL_FOUR, "hidden", batch_size=16, decay=1e-3))["scikit-learn"].note
    for words in (
        "weight_l1, bias_l1, bias_l2 cannot be written",
        "the last one too",
        "last batch",
        "decay, 0.001 a step",
    ):
        assert words in note
    note = written(confirmed(Lambdas(weight_l2=0.03)))["scikit-learn"].note
    for words in ("cannot be written", "the last one too", "last batch", "decay"):
        assert words not in note
    assert "AdamW" in written(confirmed(ALL_FOUR))["PyTorch"].note
