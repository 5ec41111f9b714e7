"""The warm start: what the finished trials of an older study teach a new one; copied at its birth,
and part of what it is.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from experiments.errors import InputError
from experiments.records import StudyRecord
from experiments.spec import Experiment
from nnreg import LAMBDA_NAMES, Lambdas
from sweeps.plural import many
from sweeps.search.mirror import BEST, LATEST, Taught
from sweeps.search.samplers import SamplerKind
from sweeps.search.space import Space
from sweeps.storage.attributes import pack, unpack

KEY = "warm_start"
DECIDE = ("data.", "model.", "training.")  # keys of an experiment that decide what lambdas measure


@dataclass(frozen=True, kw_only=True)
class WarmStart:
    """The trials that teach: effective lambdas, and what they measured of the objective of the new
    study.

    They are of the older `study`, whose `baseline` measured this much, and which had so many
    `complete` trials then; `differing` are the keys of its experiment that decide what a trial
    measures, and are not as in the new one.
    """

    study: str
    study_uid: str
    complete: int
    baseline: float | None
    differing: tuple[str, ...]
    trials: tuple[tuple[Lambdas, float], ...]

    @property
    def identity(self) -> str:
        """What of it is part of the fingerprint, such as `digits (93 trials, 1b4f0e9851971998)`."""
        text = json.dumps([self.study_uid, self.baseline, self._columns()], sort_keys=True)
        return (
            f"{self.study} ({many(len(self.trials), 'trial')},"
            f" {hashlib.sha256(text.encode()).hexdigest()[:16]})"
        )

    @property
    def note(self) -> str:
        """What it does, as a clause."""
        taught = f"{len(self.trials)} of {many(self.complete, 'trial')}"
        there = (
            f"; what was good there may not be here, another {', '.join(self.differing)}"
            if self.differing
            else ""
        )
        return f"warm start: {taught} of study {self.study} teach the sampler{there}"

    def taught(self, space: Space) -> Taught:
        """The trials as draws of a space."""
        placed = ((space.draws(lambdas), value) for lambdas, value in self.trials)
        return Taught(
            [(draws, value) for draws, value in placed if draws is not None], self.baseline
        )

    def as_json(self) -> dict[str, Any]:
        """All of it, as JSON."""
        return {
            "study": self.study,
            "study_uid": self.study_uid,
            "complete": self.complete,
            "baseline": self.baseline,
            "differing": list(self.differing),
            "trials": pack(self._columns()),
        }

    def _columns(self) -> dict[str, list[float]]:
        columns = {
            name: [getattr(lambdas, name) for lambdas, _ in self.trials] for name in LAMBDA_NAMES
        }
        return columns | {"value": [value for _, value in self.trials]}


def kept(birth: Mapping[str, Any]) -> WarmStart | None:
    """The warm start that a study keeps since its birth; None where it had none."""
    value = birth.get(KEY)
    if value is None:
        return None
    columns = unpack(value["trials"])
    rows = zip(*(columns[name] for name in (*LAMBDA_NAMES, "value")), strict=True)
    trials = tuple(
        (Lambdas(**dict(zip(LAMBDA_NAMES, row[:-1], strict=True))), row[-1]) for row in rows
    )
    return WarmStart(**{**value, "differing": tuple(value["differing"]), "trials": trials})


def learned(
    older: StudyRecord, identity: Mapping[str, Any], experiment: Experiment, kind: SamplerKind
) -> WarmStart:
    """What an older study, whose experiment has this identity, can teach an experiment. Raises
    InputError where it is nothing.
    """
    sampler, name = experiment.sweep.sampler, older.study
    if not kind.learns:
        raise InputError(
            f"warm start from study {name}: sampler {sampler} proposes the same whatever was"
            " measured; use tpe or cmaes, or leave the warm start out"
        )
    if not older.complete:
        raise InputError(
            f"warm start from study {name}: it has no finished trial yet; go on with that study"
            " first"
        )
    space, objective = (
        Space.of(experiment.lambdas, experiment.sweep.off_decades),
        experiment.sweep.objective,
    )
    measured = ((trial.lambdas, float(getattr(trial, objective))) for trial in older.complete)
    trials = [(lambdas, value) for lambdas, value in measured if space.draws(lambdas) is not None]
    if len(trials) < kind.least:
        raise InputError(
            f"warm start from study {name}: {len(trials)} of its {len(older.complete)} finished"
            f" trials lie on the axes of this experiment, and sampler {sampler} needs {kind.least}"
            " or more; widen [lambdas], or leave the warm start out"
        )
    differing = [
        key
        for key in sorted({*identity, *experiment.identity})
        if identity.get(key) != experiment.identity.get(key)
    ]
    return WarmStart(
        study=name,
        study_uid=older.study_uid,
        complete=len(older.complete),
        baseline=float(getattr(older.baseline, objective)) if older.baseline else None,
        differing=tuple(key for key in differing if key.startswith(DECIDE)),
        trials=_latest_and_best(trials, maximize=experiment.maximize),
    )


def _latest_and_best(
    trials: Sequence[tuple[Lambdas, float]], *, maximize: bool
) -> tuple[tuple[Lambdas, float], ...]:
    """As many as TPE ever sees, in their order."""
    older = range(len(trials) - LATEST)
    best = sorted(older, key=lambda number: trials[number][1], reverse=maximize)[:BEST]
    return (*(trials[number] for number in sorted(best)), *trials[-LATEST:])
