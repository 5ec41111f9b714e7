"""What is kept on a study beside its trials: read back it is what it was, also after it went
through JSON.
"""

import json
from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from experiments.evaluation import LayerTerms, Metrics
from experiments.verdict import Replicate, TestScores
from nnreg import Lambdas
from sweeps.storage.attributes import as_json, as_replicate

finite = st.floats(allow_nan=False, allow_infinity=False)
strengths = st.builds(
    Lambdas,
    weight_l1=st.floats(0, 1e300),
    weight_l2=st.floats(0, 1),
    bias_l1=st.just(0.0),
    bias_l2=st.floats(0, 1),
)
times = st.datetimes(
    datetime(2026, 1, 1), datetime(2030, 1, 1), timezones=st.just(UTC)
)  # hypothesis adds the zone
replicates = st.builds(
    Replicate,
    lambdas=strengths,
    seed=st.integers(0, 2**32 - 1),
    metrics=st.builds(Metrics, **dict.fromkeys(Metrics.__dataclass_fields__, finite)),
    curves=st.dictionaries(
        st.sampled_from(["data_loss", "val_accuracy"]), st.lists(finite, max_size=4).map(tuple)
    ),
    layers=st.lists(
        st.builds(
            LayerTerms,
            penalties=st.tuples(finite, finite, finite, finite),
            near_zero_weights=st.floats(0, 1),
        ),
        max_size=2,
    ).map(tuple),
    diverged=st.booleans(),
    seconds=st.floats(0, 1e6),
    started=times,
    finished=times,
    test=st.none()
    | st.builds(TestScores, accuracy=finite, balanced_accuracy=finite, data_loss=finite),
)


@given(replicates)
def test_a_replicate_is_read_back(replicate: Replicate) -> None:
    assert as_replicate(json.loads(json.dumps(as_json(replicate)))) == replicate
