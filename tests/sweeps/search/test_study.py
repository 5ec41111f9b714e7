"""A study: whole generations from a pure function, trials written finished, the same table whoever
continues it.
"""

import math
import tempfile
from dataclasses import replace
from pathlib import Path

import optuna
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from optuna.trial import TrialState

from experiments.errors import ForeignStudyError, InputError, StudyError
from experiments.evaluation import BASELINE, PENALISED
from experiments.search_section import SAMPLERS
from nnreg import LAMBDA_NAMES
from sweeps.search.study_record import foreign, load, study_record
from sweeps.storage.storage import open_storage
from tests.sweeps.search.trials import FIXED, TIME, experiment, grow, measured, opened, table


@pytest.mark.parametrize("sampler", SAMPLERS)
@settings(
    max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(stops=st.lists(st.integers(1, 29), max_size=4))
def test_any_interruptions_leave_the_table_of_one_go(
    sampler: str, stops: list[int], memory: Path
) -> None:
    definition = experiment(f"sweep.sampler={sampler}")
    folder = Path(tempfile.mkdtemp(dir=memory))
    whole = opened(folder / "whole.journal", definition)
    grow(whole, 30)
    for stop in [*sorted(stops), 30]:
        grow(opened(folder / "pieces.journal", definition), stop)
    assert table(opened(folder / "pieces.journal", definition)) == table(whole)


@pytest.mark.parametrize("sampler", SAMPLERS)
def test_generations_differ_and_so_do_seeds(sampler: str, tmp_path: Path) -> None:
    draws = []
    for seed in (0, 1):
        definition = experiment(f"sweep.sampler={sampler}", f"sweep.seed={seed}")
        study = opened(tmp_path / f"{seed}.journal", definition)
        grow(study, 24)
        draws += [tuple(trial.params.values()) for trial in study.optuna.trials[4:]]
    assert len(set(draws)) == len(draws)


@pytest.mark.parametrize(("edits", "baseline"), [([], 4), ([FIXED], 1)])
def test_the_baseline_arm_comes_first_even_where_a_lambda_is_fixed(
    edits: list[str], baseline: int, tmp_path: Path
) -> None:
    study = opened(tmp_path / "s.journal", experiment("lambdas.bias_l1=0.01", *edits))
    grow(study, 12)
    trials = study_record(study.optuna).trials
    arms = [trial.setting.arm for trial in trials]
    assert arms == [BASELINE] * baseline + [PENALISED] * (12 - baseline)
    assert {trial.lambdas.bias_l1 for trial in trials[baseline:]} == {0.01}
    assert all("bias_l1" not in trial.params for trial in study.optuna.trials)


def test_the_baseline_arm_is_spread_over_the_learning_rates(tmp_path: Path) -> None:
    rates = "training.learning_rate={low=1e-4, high=1}"
    study = opened(tmp_path / "s.journal", experiment(rates, "sweep.sampler=random"))
    grow(study, 60)
    trials = study_record(study.optuna).trials
    shares = [(math.log10(trial.setting.learning_rate) + 4) / 4 for trial in trials]
    assert shares[:4] == pytest.approx([1 / 8, 3 / 8, 5 / 8, 7 / 8])
    assert 0 <= min(shares) < 0.1 < 0.9 < max(shares) <= 1
    best = max(trials[:4], key=lambda trial: trial.val_accuracy)
    assert study_record(study.optuna).baseline == best


def test_no_sampler_sees_the_baseline_arm(tmp_path: Path) -> None:
    """Else it would take all lambdas off, the only ones that it knows, for good."""
    proposed = []
    for baseline in (4, 5):
        study = opened(tmp_path / f"{baseline}.journal", experiment(f"sweep.baseline={baseline}"))
        grow(study, 40)
        proposed.append([trial.params for trial in study.optuna.trials[baseline : baseline + 35]])
    assert proposed[0] == proposed[1]


def test_a_first_generation_that_all_diverged_ends_the_search(tmp_path: Path) -> None:
    study = opened(tmp_path / "s.journal", experiment())
    for proposal in study.propose():
        study.record(proposal, replace(measured(proposal.setting), diverged=True))
    for _ in range(2):  # found, and when it is continued
        with pytest.raises(InputError, match=r"all 4 networks .* from 0.0003 to 0.1; lower"):
            study.propose()
        study.close()
        study = opened(tmp_path / "s.journal", experiment())
    study = opened(tmp_path / "other.journal", experiment())
    for number, proposal in enumerate(study.propose()):
        study.record(proposal, replace(measured(proposal.setting), diverged=number > 0))
    assert study.propose()  # one that did not diverge is enough


@pytest.mark.parametrize("sampler", SAMPLERS)
@pytest.mark.parametrize(("searched", "tuned"), [(0, 0), (0, 1), (1, 0), (2, 1)])
def test_any_number_of_axes_may_be_fixed(
    sampler: str, searched: int, tuned: int, tmp_path: Path
) -> None:
    fixed = [f"lambdas.{name}=0.001" for name in LAMBDA_NAMES[searched:]] + [FIXED] * (1 - tuned)
    study = opened(tmp_path / "s.journal", experiment(f"sweep.sampler={sampler}", *fixed))
    grow(study, 20)
    assert {len(trial.params) for trial in study.optuna.trials} == {searched + tuned}


def test_a_draw_below_low_trains_with_exactly_zero(tmp_path: Path) -> None:
    study = opened(tmp_path / "s.journal", experiment("sweep.sampler=random"))
    grow(study, 60)
    off = []
    for trial in study.optuna.trials[4:]:
        for name in LAMBDA_NAMES:
            value = trial.user_attrs[name]
            assert value == (trial.params[name] if trial.params[name] >= 1e-6 else 0)
            off.append(value == 0)
    assert 0 < sum(off) < len(off)


def test_the_storage_never_holds_an_unfinished_trial(tmp_path: Path) -> None:
    study = opened(tmp_path / "s.journal", experiment())
    for proposal in study.propose():
        seen = optuna.load_study(study_name="s", storage=open_storage(str(tmp_path / "s.journal")))
        assert {trial.state for trial in seen.trials} <= {TrialState.COMPLETE}
        study.record(proposal, measured(proposal.setting))
    assert len(study.optuna.trials) == 4


def test_trials_of_others_are_left_alone(tmp_path: Path) -> None:
    whole = opened(tmp_path / "whole.journal", experiment())
    grow(whole, 12)
    study = opened(tmp_path / "s.journal", experiment())
    grow(study, 6)
    study.optuna.ask()
    study.optuna.enqueue_trial({"weight_l1": 0.01})
    study.close()
    study = opened(tmp_path / "s.journal", experiment())
    grow(study, 12)
    assert foreign(study.optuna) == 2
    states = [trial.state for trial in study.optuna.trials]
    assert (states.count(TrialState.RUNNING), states.count(TrialState.WAITING)) == (1, 1)
    assert [row for row in table(study) if "generation" in row[2]] == table(whole)


def test_a_failed_trial_is_data_with_its_reason(tmp_path: Path) -> None:
    study = opened(tmp_path / "s.journal", experiment())
    first, second, *_ = study.propose()
    study.record(first, measured(first.setting))
    failed = {"metrics": None, "curves": {}, "error": "killed"}
    study.record(second, replace(measured(second.setting), **failed))
    record = study_record(study.optuna).trials[1]
    assert (record.state, record.error, record.val_accuracy) == ("FAIL", "killed", None)
    grow(study, 13)
    study.close()
    assert table(opened(tmp_path / "s.journal", experiment())) == table(study)


def test_a_record_comes_back_as_it_was_written(tmp_path: Path) -> None:
    study = opened(tmp_path / "s.journal", experiment())
    results = [
        (one, replace(measured(one.setting, epochs=30), best_epoch=12)) for one in study.propose()
    ]
    written = [study.record(proposal, result) for proposal, result in results]
    study.close()
    again = opened(tmp_path / "s.journal", experiment())
    assert study_record(again.optuna).trials == tuple(written)
    assert written[0].started == TIME
    assert written[0].curves == results[0][1].curves
    curve, shown = written[0].curves["val_accuracy"], again.optuna.trials[0].intermediate_values
    assert list(shown) == [1, 12, 30]  # a few for Optuna's tools
    assert all(value == curve[step - 1] for step, value in shown.items())


def test_another_experiment_is_refused_with_what_changed(tmp_path: Path) -> None:
    opened(tmp_path / "s.journal", experiment())
    before = (tmp_path / "s.journal").read_bytes()
    with pytest.raises(StudyError, match=r"study s .*training.epochs: 100 -> 31; .*--study NAME"):
        opened(tmp_path / "s.journal", experiment("training.epochs=31"))
    assert (tmp_path / "s.journal").read_bytes() == before


def test_name_trials_and_confirmation_are_no_part_of_the_fingerprint(tmp_path: Path) -> None:
    changed = experiment('name="other"', "sweep.trials=70", "confirm.top=2", "confirm.margin=0.5")
    assert changed.fingerprint == experiment().fingerprint
    edits = [
        "training.seed=1",
        "training.keep=last",
        "sweep.seed=1",
        "sweep.baseline=5",
        "model.hidden=[3]",
        "lambdas.weight_l1=0",
    ]
    for edit in (*edits, "sweep.objective=val_data_loss"):
        assert experiment(edit).fingerprint != changed.fingerprint


def test_a_study_made_by_somebody_else_is_refused(tmp_path: Path) -> None:
    study = optuna.create_study(study_name="s", storage=open_storage(str(tmp_path / "s.journal")))
    study.add_trial(optuna.create_trial(value=1.0))
    with pytest.raises(StudyError, match=r"study s: .*--study NAME"):
        opened(tmp_path / "s.journal", experiment())


def test_a_study_in_another_format_is_refused(tmp_path: Path) -> None:
    study = opened(tmp_path / "s.journal", experiment())
    born = dict(study.kept["sweep"])
    del born["format"]
    study.close()
    older = optuna.create_study(
        study_name="older", storage=open_storage(str(tmp_path / "s.journal"))
    )
    older.set_user_attr("sweep", born)  # as the first versions wrote it
    says = r"^study older: another version .* began it \(format 1\), .* with --study NAME$"
    with pytest.raises(ForeignStudyError, match=says):
        opened(tmp_path / "s.journal", experiment(), "older")
    with pytest.raises(ForeignStudyError, match=says):
        load(str(tmp_path / "s.journal"), "older")
    study = opened(tmp_path / "s.journal", experiment())
    study.keep("sweep", study.kept["sweep"] | {"format": 99})
    study.close()
    with pytest.raises(ForeignStudyError, match=r"^study s: another version .* \(format 99\)"):
        load(str(tmp_path / "s.journal"), "s")
