"""The names of experiments and studies: each is safe as the name of a file on every disk."""

import re
import unicodedata

MOST_BYTES = 200  # a file's name may have 255, and ours get endings such as .journal.lock


def valid_name(name: str) -> str:
    """Return the name, which can name a file, a folder and a study. Raises ValueError."""
    normal = unicodedata.normalize("NFKC", name)
    size = len(name.encode())
    if not re.fullmatch(r"\w[\w .+-]*", name) or name.endswith((" ", ".")):
        rule = (
            "a name starts with a letter, a digit or _, and continues with those, spaces and . + - "
            "(no slash, it is also the name of a file); rename it"
        )
    elif normal != name:
        rule = f"a name has one spelling on every disk; write this one as {normal}"
    elif size > MOST_BYTES:
        rule = f"a name may have at most {MOST_BYTES} bytes in UTF-8; shorten this one of {size}"
    else:
        return name
    raise ValueError(rule)


def name_from(text: str) -> str:
    """Return a valid name that is like the text: what may not stand in one becomes _."""
    name = re.sub(r"[^\w .+-]", "_", unicodedata.normalize("NFKC", text)).lstrip(" .+-")
    return name.encode()[:MOST_BYTES].decode(errors="ignore").rstrip(" .") or "experiment"
