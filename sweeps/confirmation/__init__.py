"""The confirmation: the best trials on fresh seeds, then the sealed test rows; what it finds is a
Verdict.
"""

from sweeps.confirmation.confirmation import Means, confirmed, is_current

__all__ = ["Means", "confirmed", "is_current"]
