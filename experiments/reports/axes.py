"""Axes: where values are on a plot, and how they are labelled."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from experiments.evaluation import PARAMETER, Setting
from experiments.measures import parameter
from experiments.section import ParameterRange, Range, RateRange
from experiments.wording import shortened
from nnreg import LAMBDA_NAMES

LONGEST_LABEL = 18  # characters, of the name of a user's own parameter
PLAIN = range(-4, 6)  # the decades that are written in full, of a user's own parameter
OFF_AT, OFF_WIDTH = 0.9, 0.35  # decades: how far below `low` off is drawn, and how far it spreads
SPREADS = dict(zip(LAMBDA_NAMES, (0.618034, 0.754878, 0.819173, 0.856675), strict=True))
"""Their multiples spread the trials with a lambda off: evenly, and for two lambdas on no line."""

Ends = tuple[float, float]


@dataclass(frozen=True)
class Axis:
    """Two ends, of which low may be the higher, labels by value, and perhaps a shaded band. The
    labels alternate between so many `rows`.
    """

    low: float
    high: float
    ticks: Mapping[float, str]
    title: str = ""
    band: Ends | None = None
    rows: int = 1

    def at(self, value: float) -> float:
        """Where a value is, in percent."""
        return round(100 * (value - self.low) / (self.high - self.low), 2)


@dataclass(frozen=True, kw_only=True)
class SearchedAxis(Axis):
    """The axis of what is tuned, by the name of its column; of a lambda or of the learning rate in
    decades. The band of a lambda is the place for off, below `low`.
    """

    name: str
    is_log: bool = True

    def place(self, setting: Setting, number: int = 0) -> float:
        """Where a setting is; what is off is spread by the number of the trial."""
        value = setting.numbers[self.name]
        if not self.is_log:
            return value
        if value > 0:
            return math.log10(value)
        spread = number * SPREADS[self.name] % 1 - 0.5 if number else 0.0
        return sum(self.band or ()) / 2 + spread * 2 * OFF_WIDTH


def label(name: str) -> str:
    """The name of a column beside an axis."""
    own = name.removeprefix(PARAMETER)
    return name if own == name else shortened(own, LONGEST_LABEL)


def searched_axis(name: str, searched: Range | ParameterRange) -> SearchedAxis:
    """The axis of a lambda or of a nuisance, where it is searched."""
    title, is_parameter = name.removeprefix(PARAMETER), isinstance(searched, ParameterRange)
    if not searched.is_log:
        ends = linear([searched.low, searched.high])
        ticks = {at: words for at, words in ends.ticks.items() if _is_value(searched, at)}
        axis = replace(ends, ticks=ticks, title=title)
        return SearchedAxis(**vars(axis), name=name, is_log=False)
    low, high = math.log10(searched.low), math.log10(searched.high)
    decades = range(math.ceil(low - 1e-9), math.floor(high + 1e-9) + 1)
    ticks = {
        at: f"{10.0**at:g}" if is_parameter and at in PLAIN else f"1e{at}"
        for at in decades[:: max(1, len(decades) // 6)]
    }
    if len(ticks) < 2 and is_parameter:
        ticks |= {low: parameter(searched.low), high: parameter(searched.high)}
    elif len(ticks) < 2:
        ticks = {low: f"{searched.low:.2g}", high: f"{searched.high:.2g}"}
    if isinstance(searched, RateRange | ParameterRange):
        return SearchedAxis(low - 0.1, high + 0.1, ticks, title, name=name)
    off = low - OFF_AT
    band = off - 0.5, off + 0.5
    return SearchedAxis(off - 0.6, high + 0.25, {off: "off"} | ticks, title, band, name=name)


def _is_value(searched: Range | ParameterRange, value: float) -> bool:
    """Whether a parameter can have a value, which may have to be a whole number."""
    return not (isinstance(searched, ParameterRange) and searched.whole) or value % 1 == 0


def linear(
    values: Iterable[float],
    title: str = "",
    *,
    percent: bool = False,
    zero: bool = False,
    steps: int = 7,
) -> Axis:
    """An axis with room for all values, or from `zero` on, with about so many steps between its
    labels. `percent` is for shares from 0 to 1.
    """
    known = [*values, *([0.0] if zero else [])]
    low, high = min(known), max(known)
    room = (high - low) / 20 or abs(high) / 20 or 0.5
    low, high = low - (0 if zero else room), high + room
    if percent:
        low, high = max(low, -0.02), min(high, 1.02)
    rough = (high - low) / steps
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(many * power for many in (1, 2, 5, 10) if many * power >= rough * 0.999)
    at = [n * step for n in range(math.ceil(low / step), math.floor(high / step) + 1)]
    return Axis(low, high, {n: f"{100 * n:.6g} %" if percent else f"{n:.6g}" for n in at}, title)


def categories(labels: Sequence[str], *, downwards: bool = False, rows: int = 1) -> Axis:
    """An axis with a place for each label: 0, 1, ...; on a y axis `downwards` begins on top."""
    ends = -0.5, len(labels) - 0.5
    return Axis(*(ends[::-1] if downwards else ends), dict(enumerate(labels)), rows=rows)
