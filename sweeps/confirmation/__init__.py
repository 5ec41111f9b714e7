"""The confirmation: the best trials on fresh seeds, then the test rows; it ends in a Verdict."""

from sweeps.confirmation.confirmation import confirmed, is_current
from sweeps.confirmation.replicates import Means

__all__ = ["Means", "confirmed", "is_current"]
