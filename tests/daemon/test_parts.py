"""Jobs that are spread over workers."""

from __future__ import annotations

import pytest

from daemon.executors.base import JobAdvanced, JobDone, JobFailed, JobGivenBack
from daemon.executors.parts import Parts, split
from plugin_client.wire.messages import Picture
from tests.daemon.conftest import blend


def done(shade: int, *warnings: str) -> JobDone:
    return JobDone("j", (Picture(1, 1, 3, bytes([shade] * 3)),), {"variation": shade}, warnings)


def advanced(step: int, steps: int = 10, remaining: float = 5.0, stage: str = "denoising") -> JobAdvanced:
    return JobAdvanced("j", stage, step, steps, variation=0, remaining=remaining)


@pytest.mark.parametrize(
    ("count", "workers", "counts"), [(1, 4, [1]), (4, 4, [1, 1, 1, 1]), (5, 2, [2, 3]), (4, 1, [4]), (2, 64, [1, 1])]
)
def test_the_parts_make_each_variation_once(count: int, workers: int, counts: list[int]) -> None:
    parts = split(blend(count=count, variation=7), workers)
    assert [part.count for part in parts] == counts
    assert [part.variation + n for part in parts for n in range(part.count)] == list(range(7, 7 + count))


def test_the_pictures_are_in_the_order_of_the_parts_whoever_is_first() -> None:
    parts = Parts(2)
    assert parts.take(1, done(2, "odd", "same")) is None
    whole = parts.take(0, done(1, "same"))
    assert isinstance(whole, JobDone)
    assert [picture.pixels[0] for picture in whole.pictures] == [1, 2]
    assert (whole.recipe, whole.warnings, parts.is_over) == ({"variation": 1}, ("same", "odd"), True)


@pytest.mark.parametrize("end", [JobFailed("j", "cancelled", "cancelled"), JobGivenBack("j", "lost")])
def test_a_job_ends_with_the_first_part_that_is_not_done(end: JobFailed | JobGivenBack) -> None:
    parts = Parts(3)
    assert parts.take(0, done(1)) is None
    assert not parts.is_over
    assert parts.take(2, end) == end
    assert parts.is_over


def test_progress_is_that_of_all_parts() -> None:
    parts = Parts(2)
    assert parts.take(0, advanced(3, remaining=7)) == advanced(3, steps=20, remaining=7)
    assert parts.take(1, advanced(1, remaining=9)) == advanced(4, steps=20, remaining=9)
    assert parts.take(1, advanced(1, remaining=-1)) == advanced(4, steps=20, remaining=-1)


def test_loading_is_told_as_it_is() -> None:
    loading = advanced(10**9, 10**10, stage="downloading")
    assert Parts(2).take(0, loading) == loading
