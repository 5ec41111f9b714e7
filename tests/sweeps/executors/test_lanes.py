"""The lanes: from the network, the caches and the generation. The table does not depend on them
(test_same_table).
"""

import numpy as np
import pytest

from nnreg import Split, TrainConfig
from sweeps.executors.resources import (
    LEAST,
    MOST,
    Caches,
    bytes_per_lane,
    lanes_per_task,
    this_machine,
)

SERVER = Caches(core=2**20, shared=32 * 2**20, sharers=4)
SMALL = Caches(core=2**18, shared=2**18, sharers=1)


def split(features: int) -> Split:
    x, y = np.zeros((1_000, features), np.float32), np.arange(1_000) % 10
    return Split(x, y, x[:20], y[:20])


DIGITS, MNIST = split(64), split(784)


def test_the_bytes_of_a_lane_are_its_parameters_and_its_batch() -> None:
    parameters = 65 * 64 + 65 * 10
    assert bytes_per_lane(DIGITS, TrainConfig()) == 4 * (7 * parameters + 2 * 128 * 64)
    assert bytes_per_lane(DIGITS, TrainConfig(dtype="float64")) == 8 * (
        7 * parameters + 2 * 128 * 64
    )
    for size in (None, 5_000):
        config = TrainConfig(batch_size=size)
        assert bytes_per_lane(DIGITS, config) == 4 * (7 * parameters + 2 * 1_000 * 64)


@pytest.mark.parametrize(
    ("generation", "workers", "lanes"),
    [(16, 4, 4), (16, 1, 16), (17, 4, 5), (1, 4, 1), (3, 4, 1), (1_000, 4, MOST)],
)
def test_every_worker_gets_a_share_of_a_generation(
    generation: int, workers: int, lanes: int
) -> None:
    config, sizes = TrainConfig(), {"generation": generation, "workers": workers}
    assert lanes_per_task(DIGITS, config, caches=SERVER, **sizes) == lanes


def test_a_large_network_has_as_few_lanes_as_its_cache_holds() -> None:
    config = TrainConfig(hidden=(128,))

    def lanes(workers: int, caches: Caches) -> int:
        return lanes_per_task(MNIST, config, generation=100, workers=workers, caches=caches)

    alone, size = lanes(1, SERVER), bytes_per_lane(MNIST, config)
    assert (alone + 1) * size > SERVER.shared >= alone * size
    assert (lanes(4, SERVER), lanes(1, SMALL)) == (alone // 4, LEAST)


def test_a_worker_has_its_own_cache_or_its_share_of_the_shared_one() -> None:
    assert [SERVER.per_worker(workers) for workers in (1, 2, 4, 64)] == [2**25, 2**24, 2**23, 2**23]
    caches = this_machine()
    assert caches.shared >= caches.core >= 2**16
    assert caches.sharers >= 1
