"""The reports: frames with fixed columns, as files of several formats, and as one page."""

from enum import StrEnum


class Format(StrEnum):
    """How a table is written."""

    csv = "csv"
    parquet = "parquet"
    markdown = "markdown"
    latex = "latex"

    @property
    def ending(self) -> str:
        """The ending of its file, without the dot."""
        return {"markdown": "md", "latex": "tex"}.get(self, self.value)

    @property
    def is_for_reading(self) -> bool:
        """Whether people read it: numbers are then rounded."""
        return self in (Format.markdown, Format.latex)
