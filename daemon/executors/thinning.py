"""Thins out the progress of a job that follows so closely that nobody would see it, where telling of it is dear."""

from __future__ import annotations

import math

from daemon.executors.base import Event, JobAdvanced, JobDone, JobFailed, JobGivenBack

PROGRESS_PAUSE = 0.05  # s between two that are told: clients are told of no more


class Thinning:
    """Of events in their order: which are told at once, and which progress later, unless there is newer by then.

    `now` is in seconds, of any clock that never goes back.
    """

    def __init__(self) -> None:
        self._told: JobAdvanced | None = None
        self._told_at = -math.inf
        self._held: JobAdvanced | None = None

    def tells(self, event: Event, now: float) -> bool:
        """Return whether an event is told now: all but progress, and progress that says more than another step."""
        if isinstance(event, JobDone | JobFailed | JobGivenBack):
            self._held = None
        if not isinstance(event, JobAdvanced):
            return True
        if self._is_due(now) or _says_more(event, self._told):
            self._tell(event, now)
            return True
        self._held = event
        return False

    def due(self, now: float) -> JobAdvanced | None:
        """Return the progress that was held back, once it is time; it is told now."""
        event = self._held
        if event is None or not self._is_due(now):
            return None
        self._tell(event, now)
        return event

    def _is_due(self, now: float) -> bool:
        return now >= self._told_at + PROGRESS_PAUSE

    def _tell(self, event: JobAdvanced, now: float) -> None:
        self._told, self._told_at, self._held = event, now, None


def _says_more(event: JobAdvanced, told: JobAdvanced | None) -> bool:
    """Whether progress has a picture, begins a job, a stage or another picture, or has come to the end of the steps."""
    if told is None or event.preview is not None or event.step == event.steps:
        return True
    return (event.job, event.stage, event.variation) != (told.job, told.stage, told.variation)
