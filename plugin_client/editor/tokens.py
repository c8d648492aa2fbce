"""About how many tokens a prompt has: only the model's vocabulary, which an editor does not have, tells exactly."""

from __future__ import annotations

import math
import re

LIMIT = 75  # tokens of a prompt that the models read: 77, of which two say where it begins and ends

# How CLIP cuts text into words: openai/CLIP, simple_tokenizer.py. No token reaches over two of them.
_WORDS = re.compile(r"'s|'t|'re|'ve|'m|'ll|'d|[^\W\d_]+|\d|[^\s\w]+|_+", re.IGNORECASE)
_LETTERS = 9  # of an English word that is mostly one token
_BYTES = 3  # of a token in another alphabet, for which the vocabulary has but parts of words


def about_tokens(text: str) -> int:
    """About how many tokens CLIP makes of a text: never fewer than it has words and signs."""
    return sum(map(_about, _WORDS.findall(text)))


def _about(word: str) -> int:
    if word.isascii():
        return math.ceil(len(word) / _LETTERS)
    return math.ceil(len(word.encode()) / _BYTES)
