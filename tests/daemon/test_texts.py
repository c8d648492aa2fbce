from __future__ import annotations

from daemon.texts import clip_note
from plugin_client.wire.limits import MAX_NOTE_CHARS


def test_a_note_has_room_in_a_message() -> None:
    assert len(clip_note("x" * 2 * MAX_NOTE_CHARS)) == MAX_NOTE_CHARS
