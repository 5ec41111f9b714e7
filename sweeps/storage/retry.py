"""The patience: a database that is gone is asked again, for a while."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ParamSpec, TypeVar

from experiments.errors import StorageError

if TYPE_CHECKING:
    from tenacity import RetryCallState

P = ParamSpec("P")
T = TypeVar("T")

# seconds that a driver waits for a database: those of a restart, or of another machine that takes
# its place
LONGEST = 120.0
LONGEST_PAUSE = 5.0  # seconds between two attempts, at most; the pauses double until then


class Outage(StorageError):
    """A database that had answered is not reached, or broke off: what it was asked to do may be
    done, or not.
    """

    def __init__(self, what: str) -> None:
        super().__init__(
            f"{what}; start it, then give the same command again: what was recorded is kept"
        )
        self.what = what


def _silent(sentence: str) -> None:
    pass


@dataclass
class Patience:
    """What asks a database is carried out, again while the database is gone, for so many seconds; 0
    of them are one attempt.

    It is not for what must not be done twice. `note` is told when waiting begins and when it was
    not in vain; `sleep` waits.
    """

    seconds: float = 0.0
    note: Callable[[str], None] = _silent
    sleep: Callable[[float], None] = time.sleep

    _since: float = field(default=0.0, init=False)  # when the first attempt failed

    def __call__(self, ask: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """The answer. Raises Outage where there was none in this time."""
        from tenacity import Retrying, retry_if_exception_type, wait_exponential

        trying = Retrying(
            retry=retry_if_exception_type(Outage),
            wait=wait_exponential(multiplier=0.1, max=LONGEST_PAUSE),
            stop=self._is_over,
            before_sleep=self._say,
            sleep=self.sleep,
            reraise=True,
        )
        answer = trying(ask, *args, **kwargs)
        if trying.statistics["attempt_number"] > 1:
            self.note("the database answers again")
        return answer

    def _is_over(self, state: "RetryCallState") -> bool:
        """Whether it was long enough, from the first failure on: in the middle of an attempt a
        process may have been stopped.
        """
        now = time.monotonic()
        self._since = now if state.attempt_number == 1 else self._since
        return now - self._since >= self.seconds

    def _say(self, state: "RetryCallState") -> None:
        outage = state.outcome.exception() if state.outcome else None
        if state.attempt_number == 1 and isinstance(outage, Outage):
            self.note(f"{outage.what}; trying again for {self.seconds / 60:g} minutes")
