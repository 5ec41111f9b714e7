"""The names of experiments and studies: what is safe as one on every disk."""

import re
import unicodedata

LONGEST_NAME, MOST_BYTES = (
    100,
    200,
)  # a file's name may have 255 bytes, and ours get endings such as .journal.lock
DEVICES = re.compile(
    r"(con|prn|aux|nul|com\d|lpt\d)(\.|$)", re.IGNORECASE
)  # no file can have such a name on Windows


def check_name(name: str) -> str:
    """A name that is safe as the name of a file, of a folder and of a study. Raises ValueError."""
    if not name:
        raise ValueError("a name may not be empty; write a few letters")
    if len(name) > LONGEST_NAME:
        raise ValueError(
            f"a name may have at most {LONGEST_NAME} characters, and this one has {len(name)};"
            " shorten it"
        )
    if not re.fullmatch(r"\w[\w .+-]*", name) or name.endswith((" ", ".")):
        raise ValueError(
            "a name starts with a letter, a digit or _, and goes on with those, spaces and . + - "
            "(no slash, it is also the name of a file); rename it"
        )
    if unicodedata.normalize("NFKC", name) != name:
        raise ValueError(
            "a name has one spelling on every disk, and this one is also written"
            f" {unicodedata.normalize('NFKC', name)}; use that"
        )
    size = len(name.encode())
    if size > MOST_BYTES:
        raise ValueError(
            f"a name may have at most {MOST_BYTES} bytes in UTF-8, and this one has {size};"
            " shorten it"
        )
    if DEVICES.match(name):
        raise ValueError(
            "Windows keeps this name for a device, and studies move between machines; rename it"
        )
    return name
