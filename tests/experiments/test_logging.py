"""Muted loggers: nothing gets through, and nothing of the user's is changed, whoever mutes at the
same time.
"""

import logging
import threading

import pytest

from experiments.logging import muted

LOGGER = logging.getLogger("tests.a_library")


def test_only_here_and_only_below_the_level(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    with muted(LOGGER.name):
        LOGGER.info("ours to say")
        LOGGER.warning("a warning")
        other = threading.Thread(target=LOGGER.info, args=("of another thread",))
        other.start()
        other.join()
    LOGGER.info("afterwards")
    assert caplog.messages == ["a warning", "of another thread", "afterwards"]


def test_two_that_end_in_the_order_they_began(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    first, second = muted(LOGGER.name, below=logging.ERROR), muted(LOGGER.name)
    first.__enter__()
    second.__enter__()
    first.__exit__(None, None, None)
    LOGGER.info("still ours to say")
    LOGGER.warning("no longer below")
    second.__exit__(None, None, None)
    LOGGER.info("afterwards")
    assert caplog.messages == ["no longer below", "afterwards"]
    assert LOGGER.level == logging.NOTSET
    assert LOGGER.filters == []
