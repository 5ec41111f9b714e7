"""MLflow, written from the process that runs a sweep: a process of its own imports MLflow, for two
seconds of a core.

That it writes the same is tested in tests/experiments/test_tracking_writer.py.
"""

from experiments.tracking import Tracker


class Here(Tracker):
    """In the place of `sweeps.sweep.TrackerProcess`."""

    def close(self) -> None:
        """There is no process to end."""
