"""Switches of the dialogs that keep their places from one start of the editor to the next."""

from __future__ import annotations

import json
from contextlib import suppress

from plugin_client.wire.errors import EndpointError
from plugin_client.wire.paths import data_folder, make_data_folder, write_privately

FILE = "switches.json"  # in the data folder
MAX_BYTES = 2**12
DRAFTS, INSERTING = "drafts", "inserting"  # names of switches


def is_on(name: str) -> bool:
    """Whether a switch was left on; one that was never touched is on."""
    return _read().get(name, True)


def remember(name: str, on: bool) -> None:
    """Write down where a switch was left; where that is not possible it is forgotten."""
    with suppress(OSError, EndpointError):
        write_privately(make_data_folder() / FILE, json.dumps(_read() | {name: on}))


def _read() -> dict[str, bool]:
    try:
        with (data_folder() / FILE).open("rb") as file:
            plain = json.loads(file.read(MAX_BYTES))
    except (OSError, ValueError, EndpointError):
        return {}
    is_sound = isinstance(plain, dict) and all(type(value) is bool for value in plain.values())
    return plain if is_sound else {}
