"""Switches of the dialogs stay where they were left."""

from __future__ import annotations

from pathlib import Path

import pytest

from plugin_client.editor.switches import DRAFTS, FILE, INSERTING, is_on, remember


def test_a_switch_is_on_until_it_was_switched_off() -> None:
    assert (is_on(DRAFTS), is_on(INSERTING)) == (True, True)
    remember(DRAFTS, False)
    assert (is_on(DRAFTS), is_on(INSERTING)) == (False, True)
    remember(DRAFTS, True)
    assert is_on(DRAFTS)


@pytest.mark.parametrize("text", ["", "[]", '{"drafts": 0}', '{"drafts": "off"}'])
def test_a_damaged_file_counts_as_none(home: Path, text: str) -> None:
    (home / FILE).write_text(text)
    assert is_on(DRAFTS)


def test_a_folder_that_cannot_be_written_is_no_matter(home: Path) -> None:
    (home / FILE).mkdir()
    remember(DRAFTS, False)
    assert is_on(DRAFTS)
