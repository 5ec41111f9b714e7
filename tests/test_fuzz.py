"""Change the files that the program reads, a little of what `python -m benchmarks.fuzz` changes."""

from pathlib import Path

import pytest

from benchmarks import fuzz


# Each command is forked from a process that has imported everything, which may have threads.
@pytest.mark.filterwarnings("ignore:.*multi-threaded, use of fork:DeprecationWarning")
def test_a_changed_file_ends_in_the_right_result_or_in_one_sentence(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    counts = fuzz.fuzz(fuzz.TINY, 0, tmp_path)
    bad = sum(number for (*_, outcome), number in counts.items() if outcome == fuzz.BAD)
    assert bad == 0, capsys.readouterr().out
    assert {kind for _, kind, _ in counts} == {*fuzz.KINDS}
    assert counts.total() == fuzz.TINY * len(fuzz.TARGETS)
