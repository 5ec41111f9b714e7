"""The lambdas to use as lines of code, for this package and for other libraries: one template
each, with its note below a line of ---.
"""

import textwrap
from dataclasses import asdict, dataclass
from typing import Any

from experiments.records import StudyRecord
from nnreg import Lambdas, TrainConfig

TEMPLATES = {
    "Here, in Python": "python",
    "Here, in the experiment file": "toml",
    "PyTorch": "pytorch",
    "Keras": "keras",
    "scikit-learn": "scikit_learn",
}


@dataclass(frozen=True)
class Snippet:
    """`code` runs as it stands, given x_train, y_train, x_val and y_val as `nnreg.Split` takes them
    (the experiment file's lines need nothing); `note` lists the differences from this package.
    """

    title: str
    code: str
    note: str


def weight_decay(l2: float) -> float:
    """Return PyTorch's weight_decay for the penalty l2 * sum w^2, whose gradient is 2 * l2 * w.

    torch.optim.Adam and SGD add weight_decay * w to the gradient, as their documentation says;
    AdamW does not.
    """
    return 2 * l2


def alpha(l2: float, batch_rows: int) -> float:
    """Return scikit-learn's alpha for the penalty l2 * sum w^2, whose gradient is 2 * l2 * w.

    MLPClassifier adds alpha / 2 * sum w^2 / batch_rows to the loss: `_backprop` of its source,
    scikit-learn 1.9.
    """
    return 2 * l2 * batch_rows


def snippets(study: StudyRecord) -> tuple[Snippet, ...]:
    """Return the lambdas to use, for each library; nothing before a confirmation."""
    from jinja2 import Environment, PackageLoader, StrictUndefined

    if study.verdict is None:
        return ()
    environment = Environment(  # the result is code and no HTML
        loader=PackageLoader("experiments.reports", "."),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["code"] = repr
    values, written = _values(study), []
    for title, name in TEMPLATES.items():
        text = environment.get_template(f"snippets.{name}.j2").render(values)
        code, note = text.split("---\n")
        prefix = "" if values["on"] else "No regularization. "
        written.append(Snippet(title, code, prefix + " ".join(note.split())))
    return tuple(written)


def _values(study: StudyRecord) -> dict[str, Any]:
    """Return what the templates use: `on` are the names of the lambdas that are not 0,
    `last_is_free` is whether the last layer alone has no penalty.
    """
    assert study.verdict is not None
    experiment = study.experiment
    config, layers = experiment.train_config(), experiment.lambdas.layers
    penalised = config.hidden or layers == "all"  # else no layer has a penalty
    lambdas, rows = study.verdict.use if penalised else Lambdas(), study.verdict.rows["training"]
    batch_rows = min(config.batch_size or rows, rows)
    return {
        "lambdas": asdict(lambdas),
        "on": lambdas.on,
        "layers": layers,
        "last_is_free": bool(lambdas.on) and layers == "hidden",
        "config": config,
        "settings": _settings(config),
        "rows": rows,
        "batch_rows": batch_rows,  # the last batch of an epoch may have fewer
        "batch_size": str(batch_rows) if batch_rows < rows else "len(x_train)",
        "classes": "classes = int(max(y_train.max(), y_val.max())) + 1",
        "weight_decay": weight_decay,
        "alpha": alpha,
        "training": _training(config),
    }


def _settings(config: TrainConfig) -> str:
    """Return the arguments of TrainConfig, broken at any space: between brackets that is Python."""
    settings = ", ".join(f"{name}={value!r}" for name, value in vars(config).items())
    return textwrap.indent(
        textwrap.fill(settings.replace("'", '"') + ",", 84, break_on_hyphens=False), "    "
    )


def _training(config: TrainConfig) -> str:
    decay = f"The learning rate's decay, {config.decay!r} a step, is left out."
    return f"The initial weights are the library's own. {decay if config.decay else ''}"
