"""Elsewhere: the strengths to use as lines of code, for this package and for other libraries."""

import textwrap
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

from experiments.records import StudyRecord
from nnreg import LAMBDA_NAMES, Lambdas, TrainConfig

CLASSES = "classes = int(max(y_train.max(), y_val.max())) + 1"


@dataclass(frozen=True)
class Snippet:
    """`code` runs as it stands, given x_train, y_train, x_val and y_val as `nnreg.Split` takes them
    (the experiment file's lines need nothing); `note` says what differs there from here.
    """

    title: str
    code: str
    note: str


def weight_decay(l2: float) -> float:
    """PyTorch's weight_decay for the penalty l2 * sum w^2, whose gradient is 2 * l2 * w.

    torch.optim.Adam and SGD add weight_decay * w to the gradient, as their documentation has it;
    AdamW does not.
    """
    return 2 * l2


def alpha(l2: float, batch_rows: int) -> float:
    """scikit-learn's alpha for the penalty l2 * sum w^2, whose gradient is 2 * l2 * w.

    MLPClassifier adds alpha / 2 * sum w^2 / batch_rows to the loss: `_backprop` of its source,
    scikit-learn 1.9.
    """
    return 2 * l2 * batch_rows


def snippets(study: StudyRecord) -> tuple[Snippet, ...]:
    """The lambdas to use, for each library; nothing before a confirmation."""
    if study.verdict is None:
        return ()
    experiment = study.experiment
    config, layers = experiment.train_config(), experiment.lambdas.layers
    answer = _Answer(
        lambdas=(
            study.verdict.use if config.hidden or layers == "all" else Lambdas()
        ),  # no layer has a penalty
        layers=layers,
        config=config,
        rows=study.verdict.rows["training"],
    )
    off = () if answer.lambdas.on else ("No regularization.",)
    return tuple(
        Snippet(title, "\n".join(code(answer)) + "\n", " ".join((*off, *notes(answer))))
        for title, code, notes in (
            ("Here, in Python", _python, _python_notes),
            ("Here, in the experiment file", _file, _file_notes),
            ("PyTorch", _pytorch, _pytorch_notes),
            ("Keras", _keras, _keras_notes),
            ("scikit-learn", _scikit_learn, _scikit_learn_notes),
        )
    )


@dataclass(frozen=True, kw_only=True)
class _Answer:
    """What is to be written: `layers` is "all" or "hidden", as in the experiment file; `rows` are
    the training rows.
    """

    lambdas: Lambdas
    layers: str
    config: TrainConfig
    rows: int

    @property
    def last_is_free(self) -> bool:
        """Whether there is a penalty, and the last layer has none."""
        return bool(self.lambdas.on) and self.layers == "hidden"

    @property
    def batch_rows(self) -> int:
        """The rows of a batch; the last one of an epoch may have fewer."""
        return min(self.config.batch_size or self.rows, self.rows)

    @property
    def batch_size(self) -> str:
        """The same as code, where a full batch stays one whatever the rows."""
        return str(self.batch_rows) if self.batch_rows < self.rows else "len(x_train)"

    def given(self, **names: str) -> str:
        """Arguments of those lambdas that are on, under another library's names: `l1=4.1e-05,
        l2=0.038`.
        """
        return ", ".join(
            f"{names[name]}={getattr(self.lambdas, name)!r}"
            for name in self.lambdas.on
            if name in names
        )


def _python(answer: _Answer) -> Iterator[str]:
    settings = ", ".join(
        f"{name}={value!r}" for name, value in vars(answer.config).items()
    ).replace("'", '"')
    yield "from nnreg import Lambdas, Split, TrainConfig, train"
    yield ""
    yield "config = TrainConfig("
    # Broken at any space, which between brackets is Python too.
    yield textwrap.fill(
        f"{settings},", 88, initial_indent="    ", subsequent_indent="    ", break_on_hyphens=False
    )
    yield ")"
    yield f"lambdas = Lambdas({answer.given(**{name: name for name in LAMBDA_NAMES})})"
    if answer.last_is_free:
        yield "lambdas = (lambdas,) * len(config.hidden) + (Lambdas(),)  # none on the last layer"
    yield "fit = train(Split(x_train, y_train, x_val, y_val), config, [lambdas])[0]"


def _python_notes(answer: _Answer) -> Iterator[str]:
    yield (
        "Here and below, x_train and x_val are rows as experiments.datasets.load prepares them"
        " (numbers standardised, categories one-hot), y_train and y_val class numbers 0, 1, 2 and"
        " so on."
    )
    if answer.lambdas.on:
        yield "The strengths are for such rows, and for a data loss that is the mean over a batch."


def _file(answer: _Answer) -> Iterator[str]:
    yield "[lambdas]"
    for name in LAMBDA_NAMES:
        yield f"{name} = {getattr(answer.lambdas, name)!r}"
    yield f'layers = "{answer.layers}"'


def _file_notes(answer: _Answer) -> Iterator[str]:
    yield (
        "A number in place of a range fixes a lambda, and 0 fixes it to off; left out, it would be"
        " searched."
    )


def _pytorch(answer: _Answer) -> Iterator[str]:
    lambdas, config = answer.lambdas, answer.config
    widths = ("x.shape[1]", *config.hidden, "classes")
    yield "import torch"
    yield "from torch import nn"
    yield ""
    yield (
        "x, y = torch.tensor(x_train, dtype=torch.float32), torch.tensor(y_train,"
        " dtype=torch.int64)"
    )
    yield CLASSES
    yield "model = nn.Sequential("
    yield (
        ", nn.ReLU(),\n".join(
            f"    nn.Linear({inputs}, {neurons})" for inputs, neurons in pairwise(widths)
        )
        + ","
    )
    yield ")"
    if lambdas.on:
        linear = "[layer for layer in model if isinstance(layer, nn.Linear)]"
        yield (
            f"*layers, last = {linear}  # none on the last layer"
            if answer.last_is_free
            else f"layers = {linear}"
        )
        yield (
            "weights, biases = [layer.weight for layer in layers], [layer.bias for layer in layers]"
        )
    yield from _pytorch_optimizer(answer)
    yield f"for epoch in range({config.epochs}):"
    yield f"    for rows in torch.randperm(len(x)).split({answer.batch_size}):"
    yield "        loss = nn.functional.cross_entropy(model(x[rows]), y[rows])"
    if lambdas.weight_l1:
        yield (
            f"        loss = loss + {lambdas.weight_l1!r} * sum(w.abs().sum() for w in weights)  #"
            " weight_l1"
        )
    if lambdas.bias_l1:
        yield (
            f"        loss = loss + {lambdas.bias_l1!r} * sum(b.abs().sum() for b in biases)  #"
            " bias_l1"
        )
    yield "        optimizer.zero_grad()"
    yield "        loss.backward()"
    yield "        optimizer.step()"


def _pytorch_optimizer(answer: _Answer) -> Iterator[str]:
    lambdas, config = answer.lambdas, answer.config
    if config.optimizer == "adam":
        optimizer, settings = (
            "Adam",
            f"betas=({config.beta_1!r}, {config.beta_2!r}), eps={config.epsilon!r}",
        )
    else:
        optimizer, settings = "SGD", f"momentum={config.momentum!r}"
    yield f"optimizer = torch.optim.{optimizer}("
    if lambdas.weight_l2 or lambdas.bias_l2:
        yield "    ["
        for name, group in (("weight_l2", "weights"), ("bias_l2", "biases")):
            l2 = getattr(lambdas, name)
            decay = f', "weight_decay": {weight_decay(l2)!r}}},  # 2 * {name}' if l2 else "},"
            yield f'        {{"params": {group}{decay}'
        if answer.last_is_free:
            yield '        {"params": last.parameters()},'
        yield "    ],"
    else:
        yield "    model.parameters(),"
    yield f"    lr={config.learning_rate!r}, {settings},"
    yield ")"


def _pytorch_notes(answer: _Answer) -> Iterator[str]:
    lambdas = answer.lambdas
    if lambdas.weight_l2 or lambdas.bias_l2:
        yield (
            "weight_decay is 2 * l2: weight_decay * w is added to the gradient, and the gradient of"
            " l2 * w^2 is 2 * l2 * w. Do not use AdamW: its decay goes around the moments, which is"
            " another penalty."
        )
    if lambdas.weight_l1 or lambdas.bias_l1:
        yield (
            "No optimizer has L1, so it is a term of the loss; at exactly 0 its gradient is 0"
            " there, and +l1 here."
        )
    yield from _training_notes(answer)


def _keras(answer: _Answer) -> Iterator[str]:
    config = answer.config
    regularizers = {
        "kernel_regularizer": answer.given(weight_l1="l1", weight_l2="l2"),
        "bias_regularizer": answer.given(bias_l1="l1", bias_l2="l2"),
    }
    penalties = ", **penalties" if answer.lambdas.on else ""
    yield "import keras"
    yield ""
    yield CLASSES
    if penalties:
        yield "penalties = {"
        for argument, strengths in regularizers.items():
            if strengths:
                yield f'    "{argument}": keras.regularizers.L1L2({strengths}),'
        yield "}"
    yield "model = keras.Sequential("
    yield "    ["
    for neurons in config.hidden:
        yield f'        keras.layers.Dense({neurons}, activation="relu"{penalties}),'
    if answer.last_is_free:
        yield "        keras.layers.Dense(classes),  # none on the last layer"
    else:
        yield f"        keras.layers.Dense(classes{penalties}),"
    yield "    ]"
    yield ")"
    yield "model.compile("
    if config.optimizer == "adam":
        settings = f"beta_1={config.beta_1!r}, beta_2={config.beta_2!r}, epsilon={config.epsilon!r}"
        yield (
            f"    optimizer=keras.optimizers.Adam(learning_rate={config.learning_rate!r},"
            f" {settings}),"
        )
    else:
        yield (
            f"    optimizer=keras.optimizers.SGD(learning_rate={config.learning_rate!r},"
            f" momentum={config.momentum!r}),"
        )
    yield "    loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),"
    yield '    metrics=["accuracy"],'
    yield ")"
    yield "model.fit("
    yield "    x_train, y_train, validation_data=(x_val, y_val),"
    yield f"    epochs={config.epochs}, batch_size={answer.batch_size},"
    yield ")"


def _keras_notes(answer: _Answer) -> Iterator[str]:
    if answer.lambdas.on:
        yield (
            "L1L2 is the same formula, without any factor. The loss and val_loss that fit shows"
            " have the penalty in them."
        )
    if answer.lambdas.weight_l1 or answer.lambdas.bias_l1:
        yield "At exactly 0 the gradient of L1 is 0 there, and +l1 here."
    yield from _training_notes(answer)


def _scikit_learn(answer: _Answer) -> Iterator[str]:
    config, l2 = answer.config, answer.lambdas.weight_l2
    formula = (
        f"2 * weight_l2 * {answer.batch_rows} rows of a batch" if l2 else "off; the default is not"
    )
    yield "from sklearn.neural_network import MLPClassifier"
    yield ""
    yield "model = MLPClassifier("
    yield f"    hidden_layer_sizes={config.hidden!r},"
    yield f"    alpha={alpha(l2, answer.batch_rows)!r},  # {formula}"
    yield f"    batch_size={answer.batch_size},"
    if config.optimizer == "adam":
        yield (
            f'    solver="adam", beta_1={config.beta_1!r}, beta_2={config.beta_2!r},'
            f" epsilon={config.epsilon!r},"
        )
    else:
        yield f'    solver="sgd", momentum={config.momentum!r}, nesterovs_momentum=False,'
    yield f"    learning_rate_init={config.learning_rate!r},"
    yield f"    max_iter={config.epochs}, n_iter_no_change={config.epochs},  # all epochs, as here"
    yield ")"
    yield "model.fit(x_train, y_train)"


def _scikit_learn_notes(answer: _Answer) -> Iterator[str]:
    lambdas = answer.lambdas
    if lambdas.weight_l2:
        yield (
            "alpha is 2 * weight_l2 * the rows of a batch, because MLPClassifier adds alpha / 2 *"
            " sum w^2 divided by them; with batches of another size it is another number."
        )
        if answer.rows % answer.batch_rows:
            yield "The last batch of an epoch has fewer rows, and is penalised more."
        if answer.last_is_free:
            yield "It penalises every layer, the last one too, which is free here."
        yield "With two classes its last layer has one neuron, and ours two."
    if lost := [name for name in lambdas.on if name != "weight_l2"]:
        yield (
            f"It has no L1 and no penalty on biases: {', '.join(lost)} cannot be written, and this"
            " network goes without."
        )
    yield "It warns that it has not converged, because it ends after as many epochs as here."
    yield from _training_notes(answer)


def _training_notes(answer: _Answer) -> Iterator[str]:
    yield "The initial weights are the library's own."
    if answer.config.decay:
        yield f"The learning rate's decay, {answer.config.decay!r} a step, is left out."
