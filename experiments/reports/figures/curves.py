"""The learning curves of both arms, training against validation, with the kept epoch marked."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from experiments.evaluation import PENALISED
from experiments.measures import percent
from experiments.reports.axes import linear
from experiments.reports.plot import Figure, Plot, tip
from experiments.reports.shown import Shown
from experiments.verdict import BASELINE, RECOMMENDED, WINNER

MOST_POINTS, MOST_TIPS = 400, 50  # of a curve: more are finer than a screen, or than a pointer
TRAINING, VALIDATION = "training", "validation"
METRICS = {
    "data loss": {TRAINING: "data_loss", VALIDATION: "val_data_loss"},
    "accuracy": {TRAINING: "train_accuracy", VALIDATION: "val_accuracy"},
    "regularization loss": {TRAINING: "regularization_loss"},
}
"""The curves of each plot, by the rows that they are measured on."""

Curves = Mapping[str, Sequence[float]]
Line = tuple[str, str, np.ndarray]
"""The kind of its arm, the rows that it is measured on, and its values (networks, epochs)."""


@dataclass(frozen=True)
class Arm:
    """The networks that stand for one side of the comparison, and their kept epoch, from 1."""

    words: str
    best_epoch: int
    networks: Sequence[Curves]

    def values(self, curve: str, epochs: int) -> np.ndarray:
        """The curve of each network, (networks, epochs); one that ended stays as it was."""
        values = np.array([one[curve] for one in self.networks])
        return np.pad(values, ((0, 0), (0, epochs - values.shape[1])), mode="edge")

    @property
    def epochs(self) -> int:
        return len(self.networks[0]["data_loss"])


def figure(shown: Shown) -> Figure:
    """A plot for each metric that is not zero everywhere."""
    arms, plots, legend = _arms(shown), [], []
    epochs = max((arm.epochs for arm in arms.values()), default=0)
    for title, curves in METRICS.items():
        lines = [
            (kind, rows, arm.values(curve, epochs))
            for kind, arm in arms.items()
            for rows, curve in curves.items()
            if curve in arm.networks[0]  # a user's own network need not yield it
        ]
        if any(values.any() for _, _, values in lines):
            plots.append(_plot(title, lines, arms))
    for kind, arm in arms.items():
        legend.append(("line", kind, f"{arm.words}: {VALIDATION}"))
        legend.append(("dashes", kind, TRAINING))
        legend.append(("disc", kind, f"kept epoch {arm.best_epoch}"))
    return Figure(plots, legend)


def _arms(shown: Shown) -> dict[str, Arm]:
    """Both arms, by the kind of their lines: what the verdict compares, or the best trials."""
    study = shown.study
    found: dict[str, tuple[int, Sequence[Curves]]] = {}
    if verdict := study.verdict:
        for role in (BASELINE, RECOMMENDED if verdict.recommended.on else WINNER):
            one = verdict.confirmed(role)
            networks = [network.curves for network in study.confirmed[one.setting]]
            found[role] = one.best_epoch, networks
    else:
        penalised = (trial for trial in study.ranked if trial.setting.arm == PENALISED)
        for role, trial in ((BASELINE, study.baseline), (WINNER, next(penalised, None))):
            found |= {role: (trial.best_epoch, [trial.curves])} if trial else {}
    words = {
        BASELINE: "without penalties",
        RECOMMENDED: shown.choice or "with penalties",
        WINNER: "best with penalties",
    }
    return {
        BASELINE if role == BASELINE else shown.penalised_kind: Arm(words[role], *networks)
        for role, networks in found.items()
    }


def _plot(title: str, lines: Sequence[Line], arms: Mapping[str, Arm]) -> Plot:
    """The mean of each line over its networks; that on the validation rows within a band from the
    lowest to the highest.
    """
    epochs = lines[0][-1].shape[1]
    at = np.unique(np.linspace(0, epochs - 1, min(epochs, MOST_POINTS)).astype(int))
    ends = [end(values) for _, _, values in lines for end in (np.min, np.max)]
    y = linear(ends, percent=title == "accuracy")
    plot = Plot(title, linear([1, epochs], "epoch"), y, height=280)
    said, text = list[str](), percent if title == "accuracy" else "{:.4g}".format
    for kind, rows, values in lines:
        low, high, mean = (part(values, axis=0) for part in (np.min, np.max, np.mean))
        if rows == VALIDATION:
            around = [
                *zip(at + 1, low[at], strict=True),
                *zip(at[::-1] + 1, high[at[::-1]], strict=True),
            ]
            plot.lines([(f'class="{kind}"', around)], "polygon")
        look = kind if rows == VALIDATION else f"dashed {kind}"
        plot.line(look, zip(at + 1, mean[at], strict=True))
        arm = arms[kind]
        for epoch in at[:: 1 + len(at) // MOST_TIPS] + 1:
            words = tip(f"{arm.words}, {rows}, epoch {epoch}: {text(mean[epoch - 1])}")
            plot.point("circle" if epochs == 1 else "unseen", kind, epoch, mean[epoch - 1], words)
        kept = mean[arm.best_epoch - 1]
        said.append(
            f"{arm.words}, {rows}: {text(mean[0])} at epoch 1, {text(kept)} at the kept epoch"
            f" {arm.best_epoch}, {text(mean[-1])} at epoch {epochs}"
        )
        if rows == list(METRICS[title])[-1]:
            words = tip(f"{arm.words}, kept epoch {arm.best_epoch}: {text(kept)}")
            plot.point("disc", kind, arm.best_epoch, kept, words)
    plot.says = ". ".join(said)
    return plot
