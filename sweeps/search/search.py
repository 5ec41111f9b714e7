"""The search: what a study is for, who proposes its trials, and who taught it."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from experiments.errors import InputError
from experiments.sampler_name import is_function
from experiments.spec import Experiment, digest
from sweeps.search.samplers import KINDS, SamplerKind
from sweeps.search.warm_start import KEY, WarmStart


@dataclass(frozen=True)
class Search:
    """An experiment with what is no part of its file: a sampler of the user's own, and the trials
    of an older study.
    """

    experiment: Experiment
    own: SamplerKind | None = None
    warm_start: WarmStart | None = None

    @property
    def kind(self) -> SamplerKind:
        """Who proposes. Raises InputError where that is the user's own, and not given."""
        name = self.experiment.sweep.sampler
        if self.own is None and name not in KINDS:
            raise InputError(
                f"sweep.sampler is {name!r}, a function of Python, and is given from Python:"
                f" sweeps.run(..., sampler=FUNCTION); or write one of {', '.join(KINDS)}"
            )
        return self.own or KINDS[name]

    @property
    def identity(self) -> dict[str, Any]:
        """What decides the numbers of the study."""
        taught = {KEY: self.warm_start.identity} if self.warm_start else {}
        return {**self.experiment.identity, **taught}

    @property
    def fingerprint(self) -> str:
        """The digest of the identity."""
        return digest(self.identity)

    def changes(self, old: Mapping[str, Any]) -> str:
        """What is not as in the identity that a study was born with, and what to do."""
        new = self.identity
        keys = sorted(key for key in {*old, *new} if old.get(key) != new.get(key))
        changed = ", ".join(
            f"{key}: {json.dumps(old.get(key))} -> {json.dumps(new.get(key))}" for key in keys
        )
        remedy = "undo the change"
        if "sweep.sampler" in keys and is_function(old["sweep.sampler"]):
            function = old["sweep.sampler"].partition(":")[2]
            remedy = (
                "go on from Python with the function it was begun with, sweeps.run(...,"
                f" sampler={function})"
            )
        elif keys == [KEY]:
            taught = old.get(KEY, "").rpartition(" (")[0]
            remedy = (
                f"give --warm-start {taught} as at its birth"
                if taught
                else "leave --warm-start out"
            )
        return f"{changed}; {remedy}, or start a study of its own with --study NAME"
