"""One experiment: definition, data, evaluation, records, tracking, reports and model."""

import logging

logging.getLogger(__name__).addHandler(logging.NullHandler())  # who wants to hear of it says so
