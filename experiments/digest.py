"""The digest: what tells two things apart without keeping either."""

import hashlib
import json


def digest(value: object) -> str:
    """Return the SHA-256 of a value as canonical JSON: sorted keys, no spaces."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()
