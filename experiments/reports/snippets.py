"""The lambdas to use as code, for this package and others: one template and note for each."""

from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

from experiments.records import StudyRecord
from nnreg import Lambdas

if TYPE_CHECKING:
    from jinja2 import Template

TEMPLATES = {
    "Here, in Python": "python",
    "Here, in the experiment file": "toml",
    "Neural Networks from Scratch": "book",
    "PyTorch": "pytorch",
    "Keras": "keras",
    "scikit-learn": "scikit_learn",
}


@dataclass(frozen=True)
class Snippet:
    """`code` runs as it stands on the arrays of a Split; `note` lists differences from nnreg."""

    title: str
    code: str
    note: str


def snippets(study: StudyRecord) -> tuple[Snippet, ...]:
    """Return the lambdas to use, for each library; nothing before a confirmation, or for a network
    of the user's own, which is its own code.
    """
    if study.verdict is None or study.experiment.own:
        return ()
    values = _values(study)
    off = "" if values["on"] else "No regularization. "
    written = []
    for title, name in TEMPLATES.items():
        text = template(f"snippets.{name}.j2", escaped=False).render(values)
        code, note = text.split("---\n")
        written.append(Snippet(title, code, off + " ".join(note.split())))
    return tuple(written)


def template(name: str, *, escaped: bool) -> "Template":
    """A template of this folder; what is filled in is escaped for HTML, or is code as it stands."""
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("experiments.reports", "."),
        undefined=StrictUndefined,
        autoescape=escaped,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["unbroken"] = unbroken
    return environment.get_template(name)


def unbroken(text: str) -> str:
    """Keep each number and its per cent sign on one line."""
    return text.replace(" %", "\N{NO-BREAK SPACE}%")


def _values(study: StudyRecord) -> dict[str, Any]:
    """Return what the templates use; `last_is_free`: the last layer alone has no penalty."""
    assert study.verdict is not None
    experiment = study.experiment
    used, layers = study.verdict.used, experiment.lambdas.layers
    config = experiment.train_config(used.setting.learning_rate)
    config = replace(config, epochs=used.best_epoch)
    penalised = config.hidden or layers == "all"  # else no layer has a penalty
    lambdas = used.setting.lambdas if penalised else Lambdas()
    rows = study.verdict.rows["training"]
    batch_rows = min(config.batch_size or rows, rows)
    return {
        "lambdas": asdict(lambdas),
        "on": lambdas.on,
        "layers": layers,
        "last_is_free": bool(lambdas.on) and layers == "hidden",
        "config": config,
        "settings": ", ".join(f"{name}={value!r}" for name, value in vars(config).items()),
        "rows": rows,
        "batch_rows": batch_rows,  # the last batch of an epoch may have fewer
        "batch_size": str(batch_rows) if batch_rows < rows else "len(x_train)",
    }
