"""Logging of libraries, held back while they work for us; the user's levels and handlers stay."""

import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def muted(*names: str, below: int = logging.WARNING) -> Iterator[None]:
    """In this block and in this thread, drop messages below a level from these loggers."""
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
