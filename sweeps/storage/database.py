"""The database: Optuna's storage in one. It is waited for while it is gone, and takes no trial
twice.
"""

import copy
import json
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from optuna.distributions import distribution_to_json
from optuna.storages import RDBStorage
from optuna.study import StudyDirection
from optuna.study._frozen import FrozenStudy
from optuna.trial import FrozenTrial

from experiments.errors import StorageError
from experiments.redaction import masked_url, redacted
from sweeps.storage.retry import Outage, Patience

if TYPE_CHECKING:
    from optuna.storages._rdb.models import TrialModel
    from sqlalchemy import ExceptionContext
    from sqlalchemy.orm import Session

Check = Callable[["Session"], None]

OURS = "generation"  # a user attribute that every trial of ours has
# When PostgreSQL's library notices that a host is gone, in seconds; by itself it takes minutes or
# hours.
LIMITS = {
    "connect_timeout": 5,
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 25_000,  # milliseconds
}
# milliseconds after which PostgreSQL ends a transaction whose owner was stopped, or cut off, in the
# middle of it
IDLE = 30_000


def _engine_options(url: str) -> dict[str, Any]:
    """What SQLAlchemy is told beside the URL, which precedes it."""
    from sqlalchemy.engine import make_url

    parsed = make_url(url)
    if parsed.get_backend_name() == "sqlite":
        return {}
    options: dict[str, Any] = {
        "pool_pre_ping": True
    }  # a connection that broke while nothing was asked is made again
    if parsed.get_driver_name() in ("psycopg", "psycopg2"):
        given = {*parsed.query, *(["connect_timeout"] if "PGCONNECT_TIMEOUT" in os.environ else [])}
        options["connect_args"] = {
            name: value for name, value in LIMITS.items() if name not in given
        }
    return options


def _limit(connection: Any, record: object) -> None:
    """A new connection to PostgreSQL. By a statement, because a connection through PgBouncer takes
    no such option.
    """
    connection.cursor().execute(f"SET idle_in_transaction_session_timeout = {IDLE}")
    connection.commit()


class _Recorded(Exception):
    """The trial that was to be written is there: the answer to an earlier attempt was lost, and it
    was yes.
    """

    def __init__(self, trial_id: int, number: int) -> None:
        super().__init__(trial_id, number)
        self.place = trial_id, number


class Database(RDBStorage):
    """What a driver uses of Optuna's storage, under a patience. An outage is an Outage here, which
    Optuna does not know and so does not try again by itself: it would write a trial twice where the
    connection was lost at the very commit.
    """

    def __init__(self, url: str, patience: Patience) -> None:
        from sqlalchemy import event

        super().__init__(url, _engine_options(url))
        self.patience = patience
        self._guards: list[Check] = []
        event.listen(self.scoped_session, "before_commit", self._guard)
        if self.engine.dialect.name != "sqlite":  # a file is there, or it is not
            event.listen(self.engine, "handle_error", self._look)
        if self.engine.dialect.name == "postgresql":
            event.listen(self.engine, "connect", _limit)
            self.engine.dispose()  # those that are open have no limit yet

    def __reduce__(self) -> tuple[Any, ...]:
        """What another process gets is Optuna's own: patience is this process's."""
        return RDBStorage, (self.url,)

    def _look(self, context: "ExceptionContext") -> None:
        """Tells outages from all else that goes wrong."""
        if context.is_pre_ping or not (context.is_disconnect or context.connection is None):
            return
        reason = redacted(str(context.original_exception).strip().splitlines()[0], self.url)
        raise Outage(f"storage {masked_url(self.url)} does not answer ({reason})")

    def _guard(self, session: "Session") -> None:
        for check in self._guards:
            check(session)

    @contextmanager
    def guarded(self, check: Check) -> Iterator[None]:
        """What is committed in this block is looked at first, in the very transaction, by a check
        that may raise.
        """
        self._guards.append(check)
        try:
            yield
        finally:
            self._guards.remove(check)

    def add(self, study_id: int, trial: FrozenTrial, last: int | None) -> tuple[int, int]:
        """Write a trial behind the last one of ours, whose id is given; its own id, and its number.
        It is written once, however often it was tried: who tries finds it behind the last one, in
        the transaction that would write it again.

        To be called while nobody else writes trials of ours. Raises StorageError where the last one
        is not there any more.
        """
        from sqlalchemy import column, select, table

        trials = table("trials", column("trial_id"), column("study_id"), column("number"))
        attributes = table("trial_user_attributes", column("trial_id"), column("key"))
        behind = (
            select(trials.c.trial_id, trials.c.number)
            .join(attributes, attributes.c.trial_id == trials.c.trial_id)
            .where(
                trials.c.study_id == study_id,
                attributes.c.key == OURS,
                trials.c.trial_id >= (last or 0),
            )
            .order_by(trials.c.trial_id)
        )

        def check(session: "Session") -> None:
            session.flush()
            before = [
                (int(row.trial_id), int(row.number))
                for row in session.connection().execute(behind).all()[:-1]
            ]
            if last is not None and (not before or before.pop(0)[0] != last):
                raise StorageError(
                    f"storage {masked_url(self.url)} does not hold the trial any more that was recorded"
                    " last; it was put back to an earlier state, from which the same command"
                    " goes on"
                )
            if before:
                raise _Recorded(*before[0])

        with self.guarded(check):
            try:
                written = self._create_new_trial(study_id, trial)
            except _Recorded as there:
                return there.place
        return written._trial_id, written.number

    def _get_prepared_new_trial(
        self, study_id: int, template_trial: FrozenTrial | None, session: "Session"
    ) -> "TrialModel":
        """As Optuna's, which looks for every attribute and step before it writes it: 160 statements
        a trial, where the whole of a new one, of which nothing can be there, takes one a table.
        """
        from optuna.storages._rdb import models

        if template_trial is None:
            return super()._get_prepared_new_trial(study_id, None, session)
        bare = copy.copy(template_trial)
        bare.params, bare.user_attrs, bare.system_attrs, bare.intermediate_values = {}, {}, {}, {}
        trial = super()._get_prepared_new_trial(study_id, bare, session)
        of = {"trial_id": trial.trial_id}
        for name, value in template_trial.params.items():
            kind = template_trial.distributions[name]
            written = {
                "param_value": kind.to_internal_repr(value),
                "distribution_json": distribution_to_json(kind),
            }
            session.add(models.TrialParamModel(**of, param_name=name, **written))
        for key, value in template_trial.user_attrs.items():
            session.add(models.TrialUserAttributeModel(**of, key=key, value_json=json.dumps(value)))
        for key, value in template_trial.system_attrs.items():
            session.add(
                models.TrialSystemAttributeModel(**of, key=key, value_json=json.dumps(value))
            )
        step = models.TrialIntermediateValueModel
        for number, value in template_trial.intermediate_values.items():
            stored, special = step.intermediate_value_to_stored_repr(value)
            session.add(
                step(**of, step=number, intermediate_value=stored, intermediate_value_type=special)
            )
        return trial

    # Optuna's own methods, asked with patience. Each may be asked twice.

    def create_new_study(
        self, directions: Sequence[StudyDirection], study_name: str | None = None
    ) -> int:
        return self.patience(super().create_new_study, directions, study_name)

    def get_study_id_from_name(self, study_name: str) -> int:
        return self.patience(super().get_study_id_from_name, study_name)

    def get_study_name_from_id(self, study_id: int) -> str:
        return self.patience(super().get_study_name_from_id, study_id)

    def get_study_directions(self, study_id: int) -> list[StudyDirection]:
        return self.patience(super().get_study_directions, study_id)

    def get_study_user_attrs(self, study_id: int) -> dict[str, Any]:
        return self.patience(super().get_study_user_attrs, study_id)

    def get_study_system_attrs(self, study_id: int) -> dict[str, Any]:
        return self.patience(super().get_study_system_attrs, study_id)

    def set_study_user_attr(self, study_id: int, key: str, value: Any) -> None:
        self.patience(super().set_study_user_attr, study_id, key, value)

    def get_all_studies(self) -> list[FrozenStudy]:
        return self.patience(super().get_all_studies)

    def _get_trials(self, *arguments: Any, **options: Any) -> list[FrozenTrial]:
        return self.patience(super()._get_trials, *arguments, **options)

    def _create_new_trial(
        self, study_id: int, template_trial: FrozenTrial | None = None
    ) -> FrozenTrial:
        return self.patience(super()._create_new_trial, study_id, template_trial)
