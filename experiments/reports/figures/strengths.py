"""The objective against each lambda, and against the learning rate."""

from experiments.reports.axes import Axis, searched_axis
from experiments.reports.plot import Figure, Plot
from experiments.reports.shown import Shown, tip_of
from experiments.verdict import BASELINE, RECOMMENDED


def figure(shown: Shown) -> Figure:
    """A plot for each axis that is searched."""
    legend = [
        ("circle", "trial", "a trial"),
        ("lozenge", "baseline", "a trial without penalties"),
        ("diamond", "baseline", "the best of these (baseline)"),
        (shown.best_shape, "best", "best of the search"),
    ]
    if shown.study.verdict:
        legend += [
            ("circle", "tied", "statistically indistinguishable from the best"),
            ("square", "fresh", "mean over fresh seeds"),
            ("diamond", "fresh", "the same without penalties"),
            ("star", "best", "recommended, mean over fresh seeds"),
        ]
    beyond = [trial for trial in shown.ranked if shown.is_beyond(shown.study.value(trial))]
    if beyond:
        words = f"worse than the figure has room for ({len(beyond)})"
        legend.append((shown.worse_shape, "trial", words))
    names = shown.study.experiment.searched
    return Figure([strength_plot(shown, name, shown.axis) for name in names], legend)


def strength_plot(shown: Shown, name: str, values: Axis) -> Plot:
    """The objective against one axis; that of a lambda has a place for off."""
    study = shown.study
    axis = searched_axis(name, study.experiment.searched[name])
    plot = Plot(f"{shown.objective} against {name}", axis, values)
    if study.baseline:
        level = study.value(study.baseline)
        plot.line("dotted baseline", [(axis.low, level), (axis.high, level)])
    shown.draw_trials(plot, lambda trial: axis.place(trial.setting, trial.trial))
    for setting in shown.settings:
        shape = "diamond" if setting.setting.arm == BASELINE else "square"
        shape = shown.worse_shape if shown.is_beyond(setting.mean) else shape
        mark = ("star", "best") if setting.role == RECOMMENDED else (shape, "fresh")
        at = axis.place(setting.setting), shown.height(setting.mean)
        plot.point(*mark, *at, tip_of(setting))
    return plot
