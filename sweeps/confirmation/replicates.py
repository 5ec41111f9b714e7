"""The replicates: settings trained again with fresh seeds, each kept on the study as soon as it is
there.
"""

import base64
import logging
import zlib
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Executor
from dataclasses import replace
from typing import Any

import numpy as np

from experiments.errors import WorkersError
from experiments.evaluation import EvaluationSpec, Job, TrialResult
from experiments.verdict import Replicate
from nnreg import Lambdas
from nnreg.network import LayerParameters
from sweeps.confirmation.crossed import Scores
from sweeps.executors.evaluator import Evaluator, Lanes
from sweeps.interrupts import Interrupts
from sweeps.search.study import Study
from sweeps.storage.attributes import PREFIX, as_json, as_replicate

logger = logging.getLogger(__name__)

FRESH = 0xF2E54  # the stream of a training seed that its fresh seeds are drawn from

Key = tuple[Lambdas, int]
Networks = dict[Key, list[LayerParameters]]


def fresh_seeds(training_seed: int, count: int) -> tuple[int, ...]:
    """Seeds that the search, which knows the training seed alone, has never used; fewer are the
    first of more.
    """
    drawn = np.random.SeedSequence(training_seed, spawn_key=(FRESH,)).generate_state(2 * count + 8)
    return tuple(dict.fromkeys(int(seed) for seed in drawn if seed != training_seed))[:count]


class Replicates:
    """The replicates of one study; those that an earlier confirmation trained are there already.

    `counted` is whether the score of a row is a hit, else it is the loss with the sign turned.
    `observe` is told of each that is new, and how many are still to come.
    """

    def __init__(
        self,
        study: Study,
        executor: Executor,
        spec: EvaluationSpec,
        *,
        lanes: Lanes,
        counted: bool,
        interrupts: Interrupts,
        observe: Callable[[int, int], None],
    ) -> None:
        self._study, self._counted, self._interrupts, self._observe = (
            study,
            counted,
            interrupts,
            observe,
        )
        self._spec = replace(spec, with_networks=True)
        self._evaluator = Evaluator(executor, self._spec, lanes)
        self._kept: dict[Key, tuple[Replicate, np.ndarray]] = {}
        self._parameters: Networks = {}
        for name, value in study.optuna.user_attrs.items():
            if name.startswith(PREFIX):
                one = as_replicate(value)
                self._kept[one.lambdas, one.seed] = one, _unpack(value["scores"], counted)
        self._wanted = self._done = 0

    def train(self, settings: Iterable[Lambdas], seeds: Sequence[int]) -> dict[Lambdas, Scores]:
        """The scores (seeds, validation rows) of these settings; what is missing is trained."""
        settings = list(dict.fromkeys(settings))
        # Lanes of one seed share their batches, so a task is better filled with them.
        self._train(
            [
                (lambdas, seed)
                for seed in seeds
                for lambdas in settings
                if (lambdas, seed) not in self._kept
            ]
        )
        return {
            lambdas: np.array([self._kept[lambdas, seed][1] for seed in seeds], dtype=np.float64)
            for lambdas in settings
        }

    def replicate(self, lambdas: Lambdas, seed: int) -> Replicate:
        """One that was trained."""
        return self._kept[lambdas, seed][0]

    def parameters(self, settings: Iterable[Lambdas], seeds: Sequence[int]) -> Networks:
        """The parameters of the networks, which the study does not keep: those of an earlier run
        are trained again.
        """
        keys = [(lambdas, seed) for seed in seeds for lambdas in dict.fromkeys(settings)]
        self._train([key for key in keys if key not in self._parameters])
        return {key: self._parameters[key] for key in keys}

    def keep(self, one: Replicate) -> None:
        """Keep a replicate that has more to say than before."""
        scores = self._kept[one.lambdas, one.seed][1]
        self._kept[one.lambdas, one.seed] = one, scores
        value = {**as_json(one), "scores": _pack(scores, self._counted)}
        with self._interrupts.protected():
            self._study.keep(PREFIX + one.identity, value)

    def _train(self, keys: Sequence[Key]) -> None:
        self._wanted += len(keys)
        if keys:
            logger.info("confirmation: %d networks to train", len(keys))
        results = self._evaluator.evaluate([Job(*key) for key in keys])
        for key, result in zip(keys, results, strict=True):
            if result.network is None or result.metrics is None:
                raise WorkersError(
                    "the confirmation cannot be finished: a network could not be trained"
                    f" ({result.error}); what was recorded is kept. Go on with: sweeps confirm"
                    f" {self._study.optuna.study_name}"
                )
            self._parameters[key] = result.network.parameters
            if key not in self._kept:
                self._kept[key] = _replicate(key, result), self._scores(result)
                self.keep(self._kept[key][0])
            self._done += 1
            self._observe(self._done, self._wanted)

    def _scores(self, result: TrialResult) -> np.ndarray:
        assert result.network is not None
        # Rounded before they are used, so that a confirmation that was interrupted goes on with the
        # same numbers.
        return result.network.hits if self._counted else -result.network.losses.astype(np.float32)


def _replicate(key: Key, result: TrialResult) -> Replicate:
    assert result.network is not None
    assert result.metrics is not None
    lambdas, seed = key
    return Replicate(
        lambdas=lambdas,
        seed=seed,
        metrics=result.metrics,
        curves=result.curves,
        layers=result.network.layers,
        diverged=result.diverged,
        seconds=result.seconds,
        started=result.started,
        finished=result.finished,
    )


def _pack(scores: np.ndarray, counted: bool) -> dict[str, Any]:
    """Scores (rows,) as JSON: hits as bits, losses as 4 bytes each, compressed."""
    raw = np.packbits(scores).tobytes() if counted else scores.astype("<f4").tobytes()
    return {"rows": len(scores), "packed": base64.b64encode(zlib.compress(raw)).decode()}


def _unpack(value: dict[str, Any], counted: bool) -> np.ndarray:
    """The scores that `_pack` packed."""
    raw = zlib.decompress(base64.b64decode(value["packed"]))
    if counted:
        return np.unpackbits(np.frombuffer(raw, dtype=np.uint8), count=value["rows"]).astype(
            np.bool_
        )
    return np.frombuffer(raw, dtype="<f4")
