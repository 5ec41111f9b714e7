"""The log of a command: messages of our modules, on standard error, above a moving bar."""

import logging
import sys

LEVELS = (logging.WARNING, logging.INFO, logging.DEBUG)  # by the number of --verbose
TIMED = logging.Formatter("%(asctime)s %(levelname)-7s %(name)s: %(message)s", datefmt="%H:%M:%S")


class StandardError(logging.Handler):
    """Print to what standard error is at that moment: a bar replaces it while it moves."""

    def emit(self, record: logging.LogRecord) -> None:
        print(self.format(record), file=sys.stderr, flush=True)


def listen(verbosity: int) -> int:
    """Print warnings; with a verbosity of 1 also what is being done, from 2 on everything."""
    handler = StandardError()
    if verbosity:
        handler.setFormatter(TIMED)
    for name in ("sweeps", "experiments"):
        logger = logging.getLogger(name)
        logger.setLevel(LEVELS[min(verbosity, len(LEVELS) - 1)])
        logger.handlers = [handler]
    return verbosity
