"""One experiment: its definition, its data, one evaluation, its records, its tracking, its reports,
its model.
"""

import logging

logging.getLogger(__name__).addHandler(logging.NullHandler())  # who wants to hear of it says so
