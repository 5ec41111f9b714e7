"""The objective against each lambda, and against each nuisance."""

from collections.abc import Iterator, Sequence

from experiments.measures import tuned
from experiments.reports.axes import Axis, searched_axis
from experiments.reports.plot import Figure, Plot
from experiments.reports.shown import INDISTINGUISHABLE, Shown
from experiments.verdict import BASELINE, RECOMMENDED, Confirmed


def figure(shown: Shown) -> Figure:
    """A plot for each axis that is searched."""
    names = shown.study.experiment.searched
    plots = [strength_plot(shown, name, shown.axis, shown.settings) for name in names]
    legend = of_trials(shown)
    if shown.study.verdict:
        legend.append(("square", "fresh", "mean over new seeds"))
        legend.append(("diamond", "fresh", "the same without penalties"))
    return Figure(plots, legend + of_choice(shown))


def of_trials(shown: Shown) -> list[tuple[str, str, str]]:
    """The legend of the trials."""
    marks = [
        ("circle", "trial", "trial with penalties"),
        ("lozenge", "baseline", "without penalties"),
        ("diamond", "baseline", "best without penalties (baseline)"),
        (*shown.mark(shown.ranked[0]), "best of the search"),
    ]
    if shown.study.verdict:
        marks.append(("circle", INDISTINGUISHABLE, "statistically indistinguishable from the best"))
    beyond = sum(shown.is_beyond(shown.study.value(trial)) for trial in shown.ranked)
    if beyond:
        words = f"worse than the figure has room for ({beyond})"
        marks.append((shown.worse_shape, "trial", words))
    return marks


def of_choice(shown: Shown) -> list[tuple[str, str, str]]:
    """The legend of the recommended setting, if there is one."""
    words = f"{shown.choice}, mean over new seeds"
    return [("star", "recommended", words)] if shown.choice else []


def strength_plot(
    shown: Shown, name: str, values: Axis, settings: Sequence[Confirmed] = ()
) -> Plot:
    """The objective against one axis, of the trials and of confirmed settings; the axis of a lambda
    has a place for off.
    """
    study = shown.study
    axis = searched_axis(name, study.experiment.searched[name])
    title = f"{shown.objective} against {axis.title}"
    plot = Plot(title, axis, values, ". ".join(_says(shown, name)))
    if study.baseline:
        level = study.value(study.baseline)
        plot.line("dotted baseline", [(axis.low, level), (axis.high, level)])
    shown.draw_trials(plot, lambda trial: axis.place(trial.setting, trial.trial))
    for setting in settings:
        shape = "diamond" if setting.setting.arm == BASELINE else "square"
        shape = shown.worse_shape if shown.is_beyond(setting.mean) else shape
        is_chosen = shown.choice and setting.role == RECOMMENDED
        mark = ("star", "recommended") if is_chosen else (shape, "fresh")
        at = axis.place(setting.setting), shown.height(setting.mean)
        plot.point(*mark, *at, shown.tip_of(setting))
    return plot


def _says(shown: Shown, name: str) -> Iterator[str]:
    study, ranked = shown.study, shown.ranked
    worst, best = (shown.value(study.value(trial)) for trial in (ranked[-1], ranked[0]))
    yield f"{len(ranked):,} trials, from {worst} to {best}"
    yield f"The best has {name} {tuned(name, ranked[0].setting.numbers[name])}"
    if study.baseline:
        yield f"The best without penalties: {shown.value(study.value(study.baseline))}"
    if shown.choice:
        one = shown.settings[-1]
        value = tuned(name, one.setting.numbers[name])
        yield f"{shown.choice.capitalize()}: {value}, {shown.value(one.mean)} over new seeds"
