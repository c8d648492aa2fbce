"""The prompts of before: the newest first, each once, and no more than there is room for."""

from __future__ import annotations

from pathlib import Path

import pytest

from plugin_client.editor.prompt_history import FILE, MOST, last_prompts, remember_prompts


def test_the_newest_come_first_and_each_once(home: Path) -> None:
    remember_prompts(["a cat", "a dog"])
    remember_prompts(["a sky", "a dog", " "])
    assert last_prompts() == ["a sky", "a dog", "a cat"]


def test_only_the_last_are_kept(home: Path) -> None:
    for number in range(MOST + 5):
        remember_prompts([f"cat {number}"])
    assert last_prompts() == [f"cat {number}" for number in reversed(range(5, MOST + 5))]


@pytest.mark.parametrize("text", ["", "{}", "[1]", "\xff"])
def test_a_damaged_file_counts_as_none(home: Path, text: str) -> None:
    (home / FILE).write_text(text, encoding="latin-1")
    assert last_prompts() == []


def test_a_folder_that_cannot_be_written_is_no_matter(home: Path) -> None:
    (home / FILE).mkdir()
    remember_prompts(["a cat"])
    assert last_prompts() == []
