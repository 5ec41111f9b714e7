"""The plural: a number with what it counts."""


def many(number: int, noun: str, of: str = "") -> str:
    """For example `1 run`, or `3 runs of the confirmation`."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}{of and f' {of}'}"


def are(number: int) -> str:
    """`is` or `are`."""
    return "is" if number == 1 else "are"
