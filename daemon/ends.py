"""The end of a job: what the store keeps of it, and what the log says."""

from __future__ import annotations

import logging

from daemon.errors import StoreError
from daemon.job_kinds import picture_bytes
from daemon.jobs import Outcome
from daemon.store import Store
from daemon.texts import clip_note, short
from plugin_client.wire.messages import Failed, Result

log = logging.getLogger(__name__)

MAX_UNKEPT_BYTES = 2**28  # of results that wait in memory for a disk that takes them


def keep_end(store: Store, job_id: str, outcome: Outcome, now: float, room: int) -> tuple[Outcome, bool]:
    """Store an outcome; a result that cannot be stored and has more than `room` bytes becomes a failure.

    Returns:
        The outcome that counts, and whether the store has it; it may be offered again.
    """
    try:
        store.finish(job_id, outcome, now)
    except StoreError as exc:
        log.warning("the end of job %s cannot be stored: %s", short(job_id), exc)
        if isinstance(outcome, Result) and picture_bytes(outcome) > room:
            failure = Failed(job_id, "store-failed", clip_note(f"it was done, and could not be stored: {exc}"))
            return keep_end(store, job_id, failure, now, room)
        return outcome, False
    return outcome, True


def describe(outcome: Outcome, seconds: float) -> str:
    """Return the line of the log on the end of a job."""
    if isinstance(outcome, Result):
        first, steps = outcome.pictures[0], outcome.recipe.get("steps", "?")
        return f"done in {seconds:.1f} s: {len(outcome.pictures)} x {first.width}x{first.height}, {steps} steps"
    if outcome.code == "cancelled":
        return f"cancelled after {seconds:.1f} s"
    return f"failed after {seconds:.1f} s ({outcome.code}): {outcome.message}"
