"""Texts made fit for a message."""

from __future__ import annotations

from plugin_client.wire.limits import MAX_NOTE_CHARS
from plugin_client.wire.titles import cut


def clip_note(text: str) -> str:
    """Return `text` in as many characters as a message's note may have, all of which UTF-8 can carry.

    The names of files may hold others.
    """
    return cut(text.encode(errors="backslashreplace").decode(), MAX_NOTE_CHARS)


def short(job_id: str) -> str:
    """Return enough of a job's id to find it in a log."""
    return job_id[:8]
