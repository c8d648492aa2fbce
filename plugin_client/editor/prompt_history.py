"""The prompts that pictures were made of last, in the data folder."""

from __future__ import annotations

import json
from collections.abc import Iterable
from contextlib import suppress

from plugin_client.wire.errors import EndpointError
from plugin_client.wire.paths import data_folder, make_data_folder, write_privately

FILE = "prompts.json"  # in the data folder
MOST = 30
MAX_BYTES = 2**20


def last_prompts() -> list[str]:
    """The last MOST prompts, the newest first; none where they cannot be read."""
    try:
        with (data_folder() / FILE).open("rb") as file:
            prompts = json.loads(file.read(MAX_BYTES))
    except (OSError, ValueError, RecursionError):
        return []
    is_sound = type(prompts) is list and all(type(prompt) is str for prompt in prompts)
    return prompts[:MOST] if is_sound else []


def remember_prompts(prompts: Iterable[str]) -> None:
    """Put prompts before the others; where they cannot be written they are forgotten."""
    known = dict.fromkeys([*filter(str.strip, prompts), *last_prompts()])
    with suppress(OSError, EndpointError):
        write_privately(make_data_folder() / FILE, json.dumps(list(known)[:MOST], ensure_ascii=False))
