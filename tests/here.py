"""A tracker in this process: to start one that imports MLflow takes two seconds of a core.

That both write the same is tested in tests/experiments/test_tracking_process.py.
"""

from typing import Self

from experiments.tracking import Tracker


class Here(Tracker):
    """In the place of a TrackerProcess."""

    def __enter__(self) -> Self:
        """Give itself."""
        return self

    def __exit__(self, *error: object) -> None:
        """Close it."""
        self.close()
