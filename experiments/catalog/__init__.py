"""The catalog: ready-made experiments. It imports nothing, so that completion is fast."""

from pathlib import Path


def catalog() -> dict[str, Path]:
    """The ready-made experiments, by name."""
    return {path.stem: path for path in sorted(Path(__file__).parent.glob("*.toml"))}
