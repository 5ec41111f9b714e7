"""The log of a command: what its modules tell, on standard error, above the bar where there is one."""

import logging
import sys

LEVELS = (logging.WARNING, logging.INFO, logging.DEBUG)  # by how often --verbose was given
OURS = ("sweeps", "experiments")


class StandardError(logging.Handler):
    """Prints to whatever standard error is when something is told: a bar on a terminal takes its
    place while it moves.
    """

    def emit(self, record: logging.LogRecord) -> None:
        try:
            print(self.format(record), file=sys.stderr, flush=True)
        except Exception:  # as any handler
            self.handleError(record)


def listen(verbosity: int) -> int:
    """Have warnings told, and from once on what is done, from twice on all of it."""
    level = LEVELS[min(verbosity, len(LEVELS) - 1)]
    handler = StandardError()
    if verbosity:
        handler.setFormatter(
            logging.Formatter(
                "%(asctime)s %(levelname)-7s %(name)s: %(message)s", datefmt="%H:%M:%S"
            )
        )
    for name in OURS:
        logger = logging.getLogger(name)
        logger.setLevel(level)
        logger.handlers = [handler]
    return verbosity
