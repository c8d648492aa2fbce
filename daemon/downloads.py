"""Downloads of models, told in steps of a job: these count bytes."""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from pathlib import Path

from daemon.estimate import UNKNOWN
from daemon.executors.base import JobAdvanced
from kandinsky_backend.families import ModelSource
from kandinsky_backend.hub import Transfer, current_transfer

GLANCE_SECONDS = 0.5


def download(job: str, variation: int, source: ModelSource) -> Iterator[JobAdvanced]:
    """Download what is missing of a model, and yield how far it is twice a second. Closing it waits for the end.

    Raises:
        CheckpointError: it cannot be downloaded.
    """
    for part, place in source.parts.items():
        if Path(place).expanduser().is_dir():
            continue
        with ThreadPoolExecutor(1) as thread:
            fetched = thread.submit(source.family.pipeline(part).fetch, place)
            speed = _Speed()
            while wait([fetched], GLANCE_SECONDS).not_done:
                if transfer := current_transfer():
                    done = transfer.done
                    left = speed.remaining(transfer, done)
                    yield JobAdvanced(job, "downloading", done, transfer.total, variation, remaining=left)
            fetched.result()


class _Speed:
    """The speed of a download, from its first bytes on."""

    def __init__(self) -> None:
        self._transfer: Transfer | None = None
        self._first = (0.0, 0)

    def remaining(self, transfer: Transfer, done: int) -> float:
        """Seconds until the transfer of which `done` bytes have come is complete; UNKNOWN at its beginning."""
        now = time.monotonic()
        if transfer != self._transfer:
            self._transfer, self._first = transfer, (now, done)
        seconds, count = now - self._first[0], done - self._first[1]
        return seconds * (transfer.total - done) / count if count > 0 else UNKNOWN
