"""The search: an experiment, and the sampler that proposes its trials."""

import functools
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from experiments.errors import InputError
from experiments.spec import DIGEST, Experiment, is_function
from sweeps.search.samplers import KINDS, SamplerKind
from sweeps.search.space import Space


@dataclass(frozen=True)
class Search:
    """An experiment with a sampler of the user's own, which its file cannot hold."""

    experiment: Experiment
    own: SamplerKind | None = None

    @functools.cached_property
    def space(self) -> Space:
        """The lambdas that are searched, on their axes."""
        return Space(self.experiment)

    @property
    def kind(self) -> SamplerKind:
        """The sampler. Raises InputError where it is the user's own and was not given."""
        name = self.experiment.sweep.sampler
        if self.own is None and name not in KINDS:
            raise InputError(
                f"sweep.sampler is {name!r}, a function of Python, and is given from Python:"
                f" sweeps.run(..., sampler=FUNCTION); or write one of {', '.join(KINDS)}"
            )
        return self.own or KINDS[name]

    def changes(self, born: Mapping[str, Any], rows: Mapping[str, int]) -> str:
        """Return what differs from what a study was born with, and what to do. `rows` are counted
        by part.
        """
        old, new = born["identity"], self.experiment.identity
        keys = sorted(key for key in {*old, *new} if old.get(key) != new.get(key))
        files = {f"data.{key}": path for key, path in self.experiment.data.files.items()}
        before, now = (
            " + ".join(f"{number:,} {part}" for part, number in one.items())
            for one in (born["data"].get("rows", {}), rows)
        )
        changed = ", ".join(
            f"{files[key]} is not as the study began with it (rows then: {before}; now: {now})"
            if key in files and str(old.get(key)).startswith(DIGEST)
            else f"{key}: {json.dumps(old.get(key))} -> {json.dumps(new.get(key))}"
            for key in keys
        )
        remedy = "undo the change"
        if "sweep.sampler" in keys and is_function(old["sweep.sampler"]):
            function = old["sweep.sampler"].partition(":")[2]
            remedy = (
                "go on from Python with the function it was begun with, sweeps.run(...,"
                f" sampler={function})"
            )
        return f"{changed}; {remedy}, or start a study of its own with --study NAME"
