"""The findings: what the doctor says of one thing that was looked at."""

from dataclasses import dataclass

FINE, NOTE, WRONG = "fine", "note", "wrong"


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at. `level` is "fine", "note" (slow, or worth knowing) or "wrong";
    `remedy` may be empty.
    """

    level: str
    what: str
    remedy: str = ""
