"""The lines for each library run as they are printed, and train the network that the recommendation
means here.
"""

import dataclasses
import tomllib
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from sklearn.neural_network import MLPClassifier

from experiments import experiment_file
from experiments.evaluation import Setting
from experiments.records import StudyRecord
from experiments.reports.snippets import Snippet, snippets
from nnreg import Dense, Fit, Lambdas, Split, train
from nnreg.network import LayerParameters
from tests import book
from tests.needs import needs_module
from tests.studies import confirmed_study, make_study

ALL_FOUR = Lambdas(weight_l1=0.02, weight_l2=0.03, bias_l1=0.04, bias_l2=0.05)
"""Strong, so that half or twice of one is far outside every tolerance here."""
on_all_cases = pytest.mark.parametrize(
    ("lambdas", "layers"),
    [
        (ALL_FOUR, "all"),
        (ALL_FOUR, "hidden"),
        (Lambdas(weight_l2=0.03), "all"),
        (Lambdas(bias_l2=0.05, weight_l1=0.02), "hidden"),
        (Lambdas(bias_l1=0.04), "all"),
        (Lambdas(), "hidden"),
    ],
)
on_keras = pytest.mark.filterwarnings(
    # PyTorch 2.13's tensors do not take the argument:
    # https://numpy.org/devdocs/numpy_2_0_migration_guide.html
    "ignore:__array__ implementation doesn't accept a copy keyword:DeprecationWarning"
)
unconverged = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
HIDDEN = (6, 5)
SHAPES = ((4, 6), (6, 5), (5, 3))
RATE = 0.05
TRAINING = {"epochs": 3, "batch_size": "full", "momentum": 0.5, "beta_1": 0.8, "beta_2": 0.99}
NEAR = {"sgd": 1e-5, "adam": 1e-3}
"""Three steps in float32, 1e-7 of numbers near 1 each. Adam's epsilon has another place in Keras
and scikit-learn: it matters where a gradient is small; a step is 0.05."""


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
    """A study whose verdict recommends these lambdas, for the rows of `split`. The learning rate is
    tuned, unless one is given.
    """
    sections = {"model": {"hidden": hidden}, "lambdas": {"layers": layers}}
    study = make_study(2, training=TRAINING | training, **sections)
    rate = training.get("learning_rate", RATE)
    trials = (
        dataclasses.replace(study.trials[0], setting=Setting(Lambdas(), RATE / 5)),
        dataclasses.replace(study.trials[1], setting=Setting(lambdas, rate)),
    )
    study = confirmed_study(dataclasses.replace(study, trials=trials))
    verdict = dataclasses.replace(study.verdict, rows=dict(study.verdict.rows) | {"training": 41})
    return dataclasses.replace(study, verdict=verdict)


def written(study: StudyRecord) -> dict[str, Snippet]:
    return {snippet.title: snippet for snippet in snippets(study)}


def run(code: str, split: Split, **names: Any) -> dict[str, Any]:
    """What a user has after pasting these lines below the four arrays and other names."""
    names |= vars(split)
    exec(code, names)
    return names


def trained(study: StudyRecord, split: Split, initial: Any = None) -> Fit:
    """The network that the recommendation means here."""
    used = study.verdict.used
    config, lambdas = study.experiment.train_config(), used.setting.lambdas
    config = dataclasses.replace(
        config, learning_rate=used.setting.learning_rate, epochs=used.best_epoch
    )
    last = lambdas if study.experiment.lambdas.layers == "all" else Lambdas()
    return train(split, config, [(*[lambdas] * len(config.hidden), last)], initial=initial)[0]


def assert_near(found: Any, expected: list[LayerParameters], tolerance: float) -> None:
    """Compare (weights, biases) of each layer."""
    for (weights, biases), ours in zip(found, expected, strict=True):
        assert weights == pytest.approx(ours[0], abs=tolerance)
        assert biases == pytest.approx(ours[1][0], abs=tolerance)


def test_nothing_before_a_confirmation() -> None:
    assert snippets(make_study()) == ()


def test_l1_at_zero_is_as_the_notes_say(torch: ModuleType) -> None:
    zero = torch.zeros(1, requires_grad=True)
    zero.abs().sum().backward()
    layer = Dense(1, 1, bias_regularizer_l1=0.04)
    layer.forward(np.zeros((1, 1)))
    layer.backward(np.zeros((1, 1)))
    assert (zero.grad.item(), layer.dbiases.item()) == (0, 0.04)


@on_all_cases
def test_the_lines_for_python(lambdas: Lambdas, layers: str, split: Split) -> None:
    study = confirmed(lambdas, layers, batch_size=16, decay=5e-7, dtype="float64", seed=5)
    fit = run(written(study)["Here, in Python"].code, split)["fit"]
    expected = trained(study, split)
    np.testing.assert_equal(fit.parameters, expected.parameters)
    assert np.array_equal(fit.total_loss, expected.total_loss)


@on_all_cases
def test_the_lines_of_the_experiment_file(lambdas: Lambdas, layers: str, tmp_path: Path) -> None:
    table = tomllib.loads(written(confirmed(lambdas, layers))["Here, in the experiment file"].code)
    given = {"name": "x", "data": {"source": "iris"}} | table
    experiment = experiment_file.parse(given, "x.toml", tmp_path)
    assert experiment.lambdas.axes == vars(lambdas)
    assert experiment.lambdas.layers == layers
    kept = 3 - len(lambdas.on) % 3
    assert (experiment.training.learning_rate, experiment.training.epochs) == (RATE, kept)
    assert experiment.kept_by is None


@pytest.mark.parametrize("optimizer", NEAR)
@on_all_cases
def test_the_lines_for_the_book(
    lambdas: Lambdas, layers: str, optimizer: str, split: Split
) -> None:
    """From the same initial weights they train the same network as here, the rates decaying."""
    study = confirmed(lambdas, layers, optimizer=optimizer, dtype="float64", decay=0.1)
    code = written(study)["Neural Networks from Scratch"].code
    before, start, after = code.partition("model.train(")
    names = run(before, split, **vars(book))
    layers_of_book = names["model"].dense
    initial = [(one.weights.copy(), one.biases.copy()) for one in layers_of_book]
    exec(start + after, names)
    found = [(one.weights, one.biases[0]) for one in layers_of_book]
    assert_near(found, trained(study, split, initial).parameters, 1e-12)


@pytest.mark.parametrize("optimizer", NEAR)
@on_all_cases
def test_the_lines_for_pytorch(
    lambdas: Lambdas, layers: str, optimizer: str, split: Split, torch: ModuleType
) -> None:
    """From the same initial weights they train the same network as here."""
    study = confirmed(lambdas, layers, optimizer=optimizer)
    torch.manual_seed(0)
    linear = [torch.nn.Linear(*shape) for shape in SHAPES]
    initial = [
        (one.weight.detach().numpy().T, one.bias.detach().numpy()[np.newaxis]) for one in linear
    ]
    torch.manual_seed(0)
    model = run(written(study)["PyTorch"].code, split)["model"]
    found = [(one.weight.detach().numpy().T, one.bias.detach().numpy()) for one in model[::2]]
    assert_near(found, trained(study, split, initial).parameters, 1e-5)


@on_keras
@pytest.mark.parametrize("optimizer", NEAR)
@on_all_cases
def test_the_lines_for_keras(
    lambdas: Lambdas, layers: str, optimizer: str, split: Split, keras: ModuleType
) -> None:
    """From the same initial weights, which they are given before they train, they train the same
    network as here.
    """
    study = confirmed(lambdas, layers, optimizer=optimizer)
    before, start, after = written(study)["Keras"].code.partition("model.fit(")
    names = run(before, split)
    model = names["model"]
    model.build((None, 4))
    rng = np.random.default_rng(4)  # small: no row reaches the largest loss that is counted here
    initial = [
        (rng.normal(0, 0.5, size=shape), rng.normal(0, 0.5, size=(1, shape[1]))) for shape in SHAPES
    ]
    model.set_weights([array for weights, biases in initial for array in (weights, biases[0])])
    exec(start + after, names)
    fit, found = trained(study, split, initial), model.get_weights()
    assert_near(zip(found[::2], found[1::2], strict=True), fit.parameters, NEAR[optimizer])
    loss = model.evaluate(split.x_train, split.y_train, verbose=0)[0]  # the penalty included
    assert loss == pytest.approx(fit.total_loss[-1], rel=NEAR[optimizer])


@unconverged
@pytest.mark.parametrize(("optimizer", "tolerance"), [("sgd", 1e-13), ("adam", NEAR["adam"])])
def test_the_lines_for_scikit_learn(optimizer: str, tolerance: float, split: Split) -> None:
    """From the same initial weights they train the same network as here, as far as there is one: in
    float64, with the rows in another order.
    """
    study = confirmed(Lambdas(weight_l2=0.03), optimizer=optimizer, dtype="float64")
    start = MLPClassifier(HIDDEN, solver="sgd", learning_rate_init=1e-300, max_iter=1)
    np.random.seed(0)  # what MLPClassifier draws from  # noqa: NPY002
    start.fit(split.x_train, split.y_train)
    np.random.seed(0)  # noqa: NPY002
    model = run(written(study)["scikit-learn"].code, split)["model"]
    pairs = zip(start.coefs_, start.intercepts_, strict=True)
    fit = trained(study, split, [(weights, biases[np.newaxis]) for weights, biases in pairs])
    found = zip(model.coefs_, model.intercepts_, strict=True)
    assert_near(found, fit.parameters, tolerance)


@unconverged
def test_scikit_learn_trains_as_many_epochs_without_progress(split: Split) -> None:
    study = confirmed(ALL_FOUR, batch_size=16, epochs=15, learning_rate=1e-9)
    model = run(written(study)["scikit-learn"].code, split)["model"]
    assert (model.n_iter_, model.batch_size, model.alpha) == (15, 16, 2 * 0.03 * 16)


@on_keras
@unconverged
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
    run(found["scikit-learn"].code, split)
    run(found["Neural Networks from Scratch"].code, split, **vars(book))
    off = not lambdas.on or (layers == "hidden" and not hidden)
    assert all(snippet.note.startswith("No regularization.") == off for snippet in found.values())


def test_the_notes_say_what_cannot_be_written() -> None:
    lost = "weight_l1, bias_l1, bias_l2 cannot be written"
    phrases = (lost, "the last one too", "last batch", "decay, 0.001 a step")
    note = written(confirmed(ALL_FOUR, "hidden", batch_size=16, decay=1e-3))["scikit-learn"].note
    assert all(phrase in note for phrase in phrases)
    note = written(confirmed(Lambdas(weight_l2=0.03)))["scikit-learn"].note
    assert not any(phrase in note for phrase in (*phrases, "cannot be written", "decay"))
    assert "AdamW" in written(confirmed(ALL_FOUR))["PyTorch"].note
