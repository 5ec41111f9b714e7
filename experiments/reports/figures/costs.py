"""What each lambda gains, with intervals."""

from collections.abc import Iterator
from dataclasses import replace

from experiments.measures import MEASURES
from experiments.reports.axes import categories, linear
from experiments.reports.plot import Figure, Plot, tip
from experiments.reports.shown import Shown, in_words
from experiments.verdict import BASELINE, WINNER, WITHOUT, Verdict

ON_TEST_ROWS = [
    ("line", "confidence interval at the level of the claim"),
    ("thick", "90 % confidence interval"),
]
ON_VALIDATION_ROWS = [("line", "one standard error")]


def figure(shown: Shown) -> Figure:
    """On the sealed test rows if they were opened, else on the validation rows."""
    verdict = shown.study.verdict
    costs, kind = list(_costs(shown, verdict)) if verdict else [], shown.penalised_kind
    if verdict is None or not costs:
        return Figure([])
    measure, name = MEASURES[verdict.objective], in_words(verdict.objective)
    unit = f"{measure.unit.strip()} of " * bool(measure.unit)
    title, margin = f"behind the winner, in {unit}{name}", None
    x = linear(measure.scale * one for _, ends in costs for one in (0.0, *ends))
    if verdict.comparisons:
        title = f"gained with it, in {unit}{name.replace('validation', 'test')}"
        size = verdict.margin * measure.scale
        margin = max(-size, x.low), min(size, x.high)
    y = categories([words for words, _ in costs], downwards=True)
    plot = Plot(title, replace(x, band=margin), y, height=70 + 36 * len(costs), wide=True)
    plot.line("zero", [(0, y.low), (0, y.high)])
    said = []
    for row, (words, ends) in enumerate(costs):
        lost, low, high, *narrow = (measure.scale * one for one in ends)
        plot.line(kind, [(low, row), (high, row)])
        plot.line(f"thick {kind}", [(end, row) for end in narrow])
        mean, least, most = (f"{one:.{measure.digits}f}" for one in (lost, low, high))
        said.append(f"{words}: {mean} ({least} to {most})")
        plot.point("disc", kind, lost, row, tip(said[-1]))
    plot.says = ", ".join(said)
    lines = ON_TEST_ROWS if verdict.comparisons else ON_VALIDATION_ROWS
    legend = [(shape, kind, words) for shape, words in lines]
    return Figure([plot], legend + [("block", "band", "too small to matter")] * bool(margin))


def _costs(shown: Shown, verdict: Verdict) -> Iterator[tuple[str, tuple[float, ...]]]:
    """What is compared with and without, and what that gains: the mean and the ends of one or two
    intervals.
    """
    for one in sorted(verdict.comparisons, key=lambda one: one.against == BASELINE):
        words = "all penalties" if one.against == BASELINE else one.against
        gain, narrow = one.gain, one.narrow
        yield words, (gain.mean, gain.low, gain.high, narrow.low, narrow.high)
    if verdict.comparisons:
        return
    alone = [f"{WITHOUT}{name}" for name in verdict.confirmed(WINNER).setting.on]
    for setting in verdict.settings:
        if setting.role in (*alone, BASELINE):
            behind, error = setting.behind, setting.error
            yield shown.role(setting), (behind, behind - error, behind + error)
