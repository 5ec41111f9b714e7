"""The objective as colour, over the two lambdas that matter most."""

from experiments.reports.axes import lambda_axis
from experiments.reports.plot import Figure, Plot
from experiments.reports.shown import BEST_SHOWN, Shown, of, tip_of


def figure(shown: Shown) -> Figure | None:
    """A mark for each trial; the darker it is, the better."""
    study, searched = shown.study, shown.study.experiment.lambdas.searched
    if len(searched) < 2 or not shown.ranked:
        return None
    names = sorted(searched, key=lambda name: -study.importances.get(name, 0.0))[:2]
    x, y = (lambda_axis(name, searched[name]) for name in names)
    which = "the two that matter most" if study.importances else "two of them"
    plot = Plot(f"{shown.objective} (colour) over {which}", x, y, height=420, wide=True)
    plot.box("off", x=x.around_off)
    plot.box("off", y=y.around_off)
    best, *_, worst = [shown.height(study.value(one)) for one in study.ranked[:BEST_SHOWN]] * 2
    trials = []
    for trial in reversed(shown.ranked):
        share = (shown.height(study.value(trial)) - worst) / (best - worst or 1.0)
        at = x.place(trial.lambdas, trial.trial), y.place(trial.lambdas, trial.trial)
        trials.append((*at, f'{of(trial)} style="--good:{100 * max(share, 0.0):.0f}%"'))
    plot.points("disc", "scaled", trials)
    for shape, kind, setting in shown.settings[-1:]:
        at = x.place(setting.lambdas), y.place(setting.lambdas)
        plot.points(shape, kind, [(*at, tip_of(setting))])
    return Figure(
        [plot], [("scale", "", f"{shown.objective} {shown.label(worst)} to {shown.label(best)}")]
    )
