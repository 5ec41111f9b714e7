"""The objective against each lambda."""

from experiments.reports.axes import Axis, lambda_axis
from experiments.reports.plot import Figure, Plot
from experiments.reports.shown import Shown, tip_of


def figure(shown: Shown) -> Figure | None:
    """A plot for each lambda that is searched."""
    searched = shown.study.experiment.lambdas.searched
    if not searched or not shown.ranked:
        return None
    legend = [
        ("circle", "trial", "a trial"),
        ("diamond", "baseline", "all off (baseline)"),
        (shown.best_shape, "best", "best of the search"),
    ]
    if shown.study.verdict:
        legend += [
            ("circle", "tied", "as good as the best, as far as seeds can tell"),
            ("square", "fresh", "mean over fresh seeds"),
            ("star", "best", "recommended, mean over fresh seeds"),
        ]
    if shown.kinds[shown.worse_shape, "trial"]:
        legend.append((shown.worse_shape, "trial", "worse than the figure has room for"))
    return Figure([strength_plot(shown, name, shown.axis) for name in searched], legend)


def strength_plot(shown: Shown, name: str, values: Axis) -> Plot:
    """The objective against one lambda, with a place for off."""
    study = shown.study
    axis = lambda_axis(name, study.experiment.lambdas.searched[name])
    plot = Plot(f"{shown.objective} against {name}", axis, values)
    plot.box("off", x=axis.around_off)
    if study.baseline:
        plot.rule("dotted baseline", y=(study.value(study.baseline),) * 2)
    shown.draw_trials(plot, lambda trial: axis.place(trial.lambdas, trial.trial))
    for shape, kind, setting in shown.settings:
        at = axis.place(setting.lambdas), shown.height(setting.mean)
        plot.points(shape, kind, [(*at, tip_of(setting))])
    return plot
