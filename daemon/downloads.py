"""Downloads of models, told in steps of a job: these count bytes."""

from __future__ import annotations

import time
from collections.abc import Iterator

from daemon.estimate import UNKNOWN
from daemon.executors.base import JobAdvanced
from kandinsky_backend.families import ModelSource
from kandinsky_backend.library import fetch


def download(job: str, variation: int, source: ModelSource) -> Iterator[JobAdvanced]:
    """Download what is missing of a model, and yield how far it is twice a second. Closing it waits for the end.

    Raises:
        CheckpointError: it cannot be downloaded.
    """
    speed = Speed()
    for done, total in fetch(source):
        yield JobAdvanced(job, "downloading", done, total, variation, remaining=speed.remaining(done, total))


class Speed:
    """The speed of a download, from its first bytes on."""

    def __init__(self) -> None:
        self._first: tuple[float, int] | None = None

    def remaining(self, done: int, total: int) -> float:
        """Seconds until the download of which `done` bytes have come is complete; UNKNOWN at its beginning."""
        now = time.monotonic()
        if self._first is None:
            self._first = (now, done)
        seconds, count = now - self._first[0], done - self._first[1]
        return seconds * (total - done) / count if count > 0 else UNKNOWN
