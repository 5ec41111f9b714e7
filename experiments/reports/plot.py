"""Plots: SVG that takes its width from the page and its colours from page.css, without a script.

Positions are percentages, while text and marks have sizes in pixels: one drawing fits a phone, a
wide screen and paper. figure.html.j2 has the shapes of marks, page.css their kinds as classes.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from html import escape

from experiments.reports.axes import Axis, Ends


def tip(words: str) -> str:
    """The attribute of a mark that shows words where a pointer rests on it."""
    return f'data-tip="{escape(words)}"'


@dataclass
class Plot:
    """A drawing between two axes. What is added later is drawn on top. `more` are attributes.
    `says` gives what is drawn in words and values, to those who do not see it.
    """

    title: str
    x: Axis
    y: Axis
    says: str = ""
    height: int = 300
    wide: bool = False
    drawn: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        if self.x.band:
            self.box("band", self.x.band, (self.y.low, self.y.high))
        if self.y.band:
            self.box("band", (self.x.low, self.x.high), self.y.band)

    def point(self, shape: str, kind: str, x: float, y: float, more: str) -> None:
        at = f'x="{self.x.at(x):g}%" y="{self._down(y):g}%"'
        self.drawn.append(f'<use href="#{shape}" class="{kind}" {at} {more}/>')

    def lines(self, lines: Iterable[tuple[str, Iterable[Ends]]], shape: str = "polyline") -> None:
        """Draw lines through points, each with its attributes; a `polygon` is the area within."""
        self.drawn.append('<svg class="lines" viewBox="0 0 100 100" preserveAspectRatio="none">')
        for more, points in lines:
            at = " ".join(f"{self.x.at(x):g},{self._down(y):g}" for x, y in points)
            self.drawn.append(f'<{shape} {more} points="{at}"/>')
        self.drawn.append("</svg>")

    def line(self, kind: str, points: Iterable[Ends]) -> None:
        self.lines([(f'class="{kind}"', points)])

    def box(self, kind: str, x: Ends, y: Ends, more: str = "") -> None:
        (left, right), (top, bottom) = sorted(map(self.x.at, x)), sorted(map(self._down, y))
        at = f'x="{left:g}%" width="{right - left:g}%" y="{top:g}%" height="{bottom - top:g}%"'
        self.drawn.append(f'<rect class="{kind}" {at} {more}/>')

    def _down(self, y: float) -> float:
        return round(100 - self.y.at(y), 2)


@dataclass(frozen=True)
class Figure:
    """Plots that belong together; `legend` has a shape, a kind and words for what they show."""

    plots: Sequence[Plot]
    legend: Sequence[tuple[str, str, str]] = ()
