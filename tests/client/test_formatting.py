from __future__ import annotations

import pytest

from plugin_client.formatting import STAGES, clock, duration, size, stage_name
from plugin_client.wire.messages import Progress, Stage


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(0, "0:00"), (0.4, "0:00"), (59.6, "1:00"), (72, "1:12"), (3599, "59:59"), (3600, "1:00:00"), (7384, "2:03:04")],
)
def test_a_duration_reads_like_a_clock(seconds: float, said: str) -> None:
    assert clock(seconds) == said


@pytest.mark.parametrize(("count", "said"), [(0, "0 MB"), (640_000_000, "640 MB"), (2_150_000_000, "2.1 GB")])
def test_sizes_are_in_the_unit_that_is_read_easily(count: int, said: str) -> None:
    assert size(count) == said


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0.2, "0 s"), (59.4, "59 s"), (59.6, "1 min"), (125, "2 min 5 s"), (3600, "1 h"), (4830, "1 h 20 min")],
)
def test_a_duration_in_words(seconds: float, words: str) -> None:
    assert duration(seconds) == words


def test_the_words_of_a_duration_are_translated_before_they_are_filled_in() -> None:
    german = {"{hours} h": "{hours} Std.", "{minutes} min": "{minutes} Min."}
    assert duration(4830, lambda text: german[text]) == "1 Std. 20 Min."


def progress(stage: Stage, steps: int) -> Progress:
    return Progress("", stage, 0, steps, 0, 0.0, -1.0)


def test_each_stage_has_a_name_that_is_translated() -> None:
    assert [stage_name(progress(stage, 9), str.upper) for stage in STAGES] == [name.upper() for name in STAGES.values()]
    assert stage_name(progress("denoising", 9)) == "Denoising"


def test_a_job_that_has_not_begun_to_load_is_prepared() -> None:
    assert stage_name(progress("loading", 0)) == "Preparing"
    assert stage_name(progress("loading", 9)) == "Loading the model"
