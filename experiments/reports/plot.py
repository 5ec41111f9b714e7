"""Plots: SVG without a script, which takes its width from the page and its colours from page.css.

Positions are percentages of the plot, while text and marks have sizes in pixels. One drawing
therefore fits a phone, a wide screen and paper. Marks are the shapes of page.html.j2 (`circle`),
and what they stand for is a class of page.css (`trial`).
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from html import escape

from experiments.reports.axes import Axis

LETTER, LINE = 7.5, 18  # pixels

Ends = tuple[float, float]


def tip(words: str) -> str:
    """The attribute of a mark that shows words where a pointer rests on it."""
    return f'data-tip="{escape(words)}"'


def stretched(shapes: str) -> str:
    """Shapes whose coordinates are percentages without the sign, as polylines need it."""
    return f'<svg class="lines" viewBox="0 0 100 100" preserveAspectRatio="none">{shapes}</svg>'


@dataclass
class Plot:
    """A drawing between two axes. What is added later is drawn on top."""

    title: str
    x: Axis
    y: Axis
    height: int = 300
    wide: bool = False
    drawn: list[str] = field(default_factory=list)

    def points(self, shape: str, kind: str, points: Iterable[tuple[float, float, str]]) -> None:
        """Draw marks at (x, y) with attributes: `tip(...)`, or of which trial they are."""
        marks = [
            f'<use href="#{shape}" x="{self.x.at(x):g}%" y="{self._up(y):g}%" {more}/>'
            for x, y, more in points
        ]
        self.drawn += [f'<g class="{kind}">', *marks, "</g>"]

    def line(self, kind: str, points: Iterable[Ends], shape: str = "polyline") -> None:
        """Draw a line through points; as a `polygon` the area within them."""
        at = " ".join(f"{self.x.at(x):g},{self._up(y):g}" for x, y in points)
        self.drawn.append(stretched(f'<{shape} class="{kind}" points="{at}"/>'))

    def box(self, kind: str, x: Ends | None = None, y: Ends | None = None, more: str = "") -> None:
        """Draw a rectangle between two ends in x and in y; without ends it fills the plot."""
        left, right = sorted(map(self.x.at, x)) if x else (0.0, 100.0)
        top, bottom = sorted(map(self._up, y)) if y else (0.0, 100.0)
        self.drawn.append(
            f'<rect class="{kind}" x="{left:g}%" width="{right - left:g}%"'
            f' y="{top:g}%" height="{bottom - top:g}%" {more}/>'
        )

    def rule(self, kind: str, x: Ends | None = None, y: Ends | None = None) -> None:
        """Draw a straight line between two ends in x and in y; without ends it crosses the plot."""
        left, right = map(self.x.at, x) if x else (0.0, 100.0)
        bottom, top = map(self._up, y) if y else (100.0, 0.0)
        self.drawn.append(
            f'<line class="{kind}" x1="{left:g}%" x2="{right:g}%" y1="{bottom:g}%" y2="{top:g}%"/>'
        )

    def _up(self, value: float) -> float:
        return round(100 - self.y.at(value), 2)

    def __html__(self) -> str:
        beside = 14 + LETTER * max(map(len, self.y.ticks.values()), default=0)
        left, bottom = beside + LINE * bool(self.y.title), 26 + LINE * bool(self.x.title)
        title = escape(self.title)
        return (
            f'<figure class="panel{" broad" * self.wide}"><figcaption>{title}</figcaption>'
            f'<div class="plot" style="height:{self.height}px;padding-left:{left:.0f}px;'
            f'padding-bottom:{bottom}px"><svg role="img" aria-label="{title}">'
            f"{''.join([*self._axes(beside), *self.drawn])}</svg></div></figure>\n"
        )

    def _axes(self, beside: float) -> Iterator[str]:
        for value, label in self.x.ticks.items():
            at = f"{self.x.at(value):g}%"
            yield f'<line class="grid" x1="{at}" x2="{at}" y2="100%"/>'
            yield f'<text x="{at}" y="100%" dy="18">{escape(label)}</text>'
        for value, label in self.y.ticks.items():
            at = f"{self._up(value):g}%"
            yield f'<line class="grid" y1="{at}" y2="{at}" x2="100%"/>'
            yield f'<text class="side" y="{at}" dx="-8" dy="4">{escape(label)}</text>'
        yield '<line class="edge" y1="100%" y2="100%" x2="100%"/><line class="edge" y2="100%"/>'
        if self.x.title:
            yield f'<text x="50%" y="100%" dy="38">{escape(self.x.title)}</text>'
        if self.y.title:
            yield (
                f'<svg x="{-beside:.0f}" y="50%">'
                f'<text transform="rotate(-90)">{escape(self.y.title)}</text></svg>'
            )


@dataclass(frozen=True)
class Figure:
    """Plots that belong together; `legend` has a shape, a kind and words for what they show."""

    plots: Sequence[Plot | str]
    legend: Sequence[tuple[str, str, str]] = ()
