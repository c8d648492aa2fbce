"""What must outlive a moment: the requests that were accepted, and the outcomes until they are released or expire.

`Store` is what the server asks for; a durable one keeps the same promises on disk.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from daemon.jobs import Outcome
from plugin_client.wire.messages import Blend, Result

MAX_OUTCOMES = 100  # ended jobs
MAX_OUTCOME_BYTES = 2**30  # of their pictures
MAX_AGE = 24 * 3600.0  # s since a job ended


class Store(Protocol):
    """Requests and outcomes by job id. Times are on the caller's clock, in seconds."""

    def accept(self, job_id: str, blend: Blend) -> None:
        """Keep a request. When this returns the request is kept: the client may be told that it was accepted."""

    def request(self, job_id: str) -> Blend:
        """The request of an accepted job that has not ended."""

    def finish(self, job_id: str, outcome: Outcome, now: float) -> None:
        """Keep the outcome of an accepted job; its request is no longer needed."""

    def outcome(self, job_id: str) -> Outcome | None:
        """The outcome of a job that ended and is not forgotten."""

    def forget(self, job_id: str) -> None:
        """Drop the outcome of a job that ended."""

    def expire(self, now: float) -> tuple[str, ...]:
        """Forget the least recently ended jobs until all limits hold; their ids."""


@dataclass(frozen=True)
class _Ended:
    outcome: Outcome
    at: float
    bytes: int


class MemoryStore:
    """A Store that lives as long as the daemon's process."""

    def __init__(
        self,
        max_outcomes: int = MAX_OUTCOMES,
        max_bytes: int = MAX_OUTCOME_BYTES,
        max_age: float = MAX_AGE,
    ) -> None:
        self._max_outcomes = max_outcomes
        self._max_bytes = max_bytes
        self._max_age = max_age
        self._requests: dict[str, Blend] = {}
        self._ended: dict[str, _Ended] = {}  # oldest first
        self._bytes = 0

    def accept(self, job_id: str, blend: Blend) -> None:
        self._requests[job_id] = blend

    def request(self, job_id: str) -> Blend:
        return self._requests[job_id]

    def finish(self, job_id: str, outcome: Outcome, now: float) -> None:
        del self._requests[job_id]
        ended = _Ended(outcome, now, _size(outcome))
        self._ended[job_id] = ended
        self._bytes += ended.bytes

    def outcome(self, job_id: str) -> Outcome | None:
        ended = self._ended.get(job_id)
        return ended.outcome if ended else None

    def forget(self, job_id: str) -> None:
        self._bytes -= self._ended.pop(job_id).bytes

    def expire(self, now: float) -> tuple[str, ...]:
        forgotten = []
        while self._ended and self._exceeds_limits(now):
            oldest = next(iter(self._ended))
            self.forget(oldest)
            forgotten.append(oldest)
        return tuple(forgotten)

    def _exceeds_limits(self, now: float) -> bool:
        oldest = next(iter(self._ended.values()))
        return (
            len(self._ended) > self._max_outcomes
            or (self._bytes > self._max_bytes and len(self._ended) > 1)  # the newest stays, however large
            or now - oldest.at > self._max_age
        )


def _size(outcome: Outcome) -> int:
    return sum(len(picture.pixels) for picture in outcome.pictures) if isinstance(outcome, Result) else 0
