"""Texts of strangers in messages and logs."""

from __future__ import annotations


def shortened(text: str, length: int = 200) -> str:
    """`text` as a log or a message may hold it: quoted, on one line, and not longer than about `length`."""
    return repr(text if len(text) <= length else f"{text[:length]}...")
