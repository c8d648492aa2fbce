"""About how many tokens a prompt has. The numbers beside the texts are those of CLIP's own vocabulary."""

from __future__ import annotations

import pytest

from plugin_client.editor.tokens import about_tokens


@pytest.mark.parametrize(
    ("text", "tokens"),
    [("", 0), ("a cat", 2), ("A photo of a cat.", 6), ("red cat, 4k photo", 6), ("it's a dog's life", 6)],
)
def test_common_english_words_and_signs_are_counted_exactly(text: str, tokens: int) -> None:
    assert about_tokens(text) == tokens


@pytest.mark.parametrize("text", ["рыжий кот", "一只红色的猫", "Frühstücksbrötchen", "incomprehensibility"])
def test_what_the_vocabulary_has_in_parts_only_counts_as_more_than_its_words(text: str) -> None:
    assert about_tokens(text) > len(text.split())
