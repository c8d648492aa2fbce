"""The prompts that pictures were made of last, in the data folder."""

from __future__ import annotations

from collections.abc import Iterable

from plugin_client.editor import small_files

FILE = "prompts.json"  # in the data folder
MOST = 30
MAX_BYTES = 2**20


def last_prompts() -> list[str]:
    """The last MOST prompts, the newest first; none where they cannot be read."""
    prompts = small_files.read(FILE, MAX_BYTES)
    is_sound = type(prompts) is list and all(type(prompt) is str for prompt in prompts)
    return prompts[:MOST] if is_sound else []


def remember_prompts(prompts: Iterable[str]) -> None:
    """Put prompts before the others; where they cannot be written they are forgotten."""
    known = dict.fromkeys([*filter(str.strip, prompts), *last_prompts()])
    small_files.write(FILE, list(known)[:MOST])
