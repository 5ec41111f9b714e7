"""The catalog: the ready-made experiments, one TOML file each. Imports nothing, so that a shell can
be told of them at once.
"""

from pathlib import Path


def catalog() -> dict[str, Path]:
    """The ready-made experiments, by name."""
    return {path.stem: path for path in sorted(Path(__file__).parent.glob("*.toml"))}
