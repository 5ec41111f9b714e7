"""Muted loggers: messages of a library that are ours to say, held back while it works for us.

Levels and handlers stay as they are: they are the user's, who may use the library beside us.
"""

import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def muted(*names: str, below: int = logging.WARNING) -> Iterator[None]:
    """In this block and in this thread, loggers of these names pass on nothing below a level."""
    here = threading.get_ident()

    def passes(record: logging.LogRecord) -> bool:
        return record.levelno >= below or threading.get_ident() != here

    loggers = [logging.getLogger(name) for name in names]
    for logger in loggers:
        logger.addFilter(passes)
    try:
        yield
    finally:
        for logger in loggers:
            logger.removeFilter(passes)
