"""The objective in the order of the search, and how much each lambda mattered."""

from experiments.reports.axes import categories, linear
from experiments.reports.plot import Figure, Plot, tip
from experiments.reports.shown import Shown

WIDTH = 0.35  # of a bar, to each side


def figure(shown: Shown) -> Figure | None:
    """The trials with the best one so far, and the importances if there are any."""
    study = shown.study
    if not shown.ranked:
        return None
    last = study.trials[-1].trial
    order = Plot(
        f"{shown.objective} in the order of the search", linear([0, last], "trial"), shown.axis
    )
    shown.draw_trials(order, lambda trial: trial.trial)
    steps: list[tuple[float, float]] = []
    for leader in shown.leaders:
        value = shown.height(study.value(leader))
        steps += [(leader.trial, steps[-1][1] if steps else value), (leader.trial, value)]
    order.line("best", [*steps, (last, steps[-1][1])])
    plots = [order]
    if any(study.importances.values()):
        shares = {
            name: study.importances.get(name, 0.0) for name in study.experiment.lambdas.searched
        }
        title = "how much each lambda mattered in the search (an estimate)"
        x = linear(shares.values(), percent=True, zero=True)
        bars = Plot(title, x, categories(list(shares), downwards=True))
        for row, (name, share) in enumerate(shares.items()):
            bars.box(
                "column trial", (0, share), (row - WIDTH, row + WIDTH), tip(f"{name}: {share:.2%}")
            )
        plots.append(bars)
    return Figure(plots, [("circle", "trial", "a trial"), ("line", "best", "best so far")])
