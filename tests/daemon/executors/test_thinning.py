from __future__ import annotations

from dataclasses import replace

from daemon.executors.base import JobAdvanced, JobFailed, Machine, MachineChanged
from daemon.executors.thinning import PROGRESS_PAUSE, Thinning
from plugin_client.wire.messages import Picture

FIRST = JobAdvanced("a", "denoising", step=1, steps=100, variation=0, remaining=9.0)
NEXT = replace(FIRST, step=2)
SOON = PROGRESS_PAUSE / 2


def told_first() -> Thinning:
    thinning = Thinning()
    assert thinning.tells(FIRST, 0.0)
    return thinning


def test_progress_that_follows_closely_waits_and_only_the_newest_is_told() -> None:
    thinning = told_first()
    assert not thinning.tells(NEXT, SOON)
    assert not thinning.tells(replace(FIRST, step=3), SOON)
    assert thinning.due(SOON) is None
    assert thinning.due(PROGRESS_PAUSE) == replace(FIRST, step=3)
    assert thinning.due(2 * PROGRESS_PAUSE) is None


def test_progress_is_told_at_once_when_some_time_has_passed() -> None:
    thinning = told_first()
    assert thinning.tells(NEXT, PROGRESS_PAUSE)
    assert not thinning.tells(replace(FIRST, step=3), PROGRESS_PAUSE + SOON)


def test_progress_that_says_more_than_another_step_does_not_wait() -> None:
    preview = Picture(1, 1, 3, bytes(3))
    for event in (
        replace(NEXT, preview=preview),
        replace(NEXT, stage="decoding"),
        replace(NEXT, variation=1),
        replace(NEXT, job="b"),
        replace(NEXT, step=100),
    ):
        thinning = told_first()
        assert not thinning.tells(NEXT, SOON)
        assert thinning.tells(event, SOON)
        assert thinning.due(2 * PROGRESS_PAUSE) is None  # what waited is overtaken


def test_nothing_but_progress_waits_and_none_comes_after_the_end() -> None:
    thinning = told_first()
    assert not thinning.tells(NEXT, SOON)
    assert thinning.tells(MachineChanged(Machine("studio3")), SOON)
    assert thinning.due(PROGRESS_PAUSE) == NEXT
    assert not thinning.tells(NEXT, PROGRESS_PAUSE + SOON)
    assert thinning.tells(JobFailed("a", "internal", "a mistake"), PROGRESS_PAUSE + SOON)
    assert thinning.due(9.0) is None
