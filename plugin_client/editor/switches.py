"""Switches of the dialogs that keep their places from one start of the editor to the next."""

from __future__ import annotations

from plugin_client.editor import small_files

FILE = "switches.json"  # in the data folder
MAX_BYTES = 2**12
DRAFTS, INSERTING = "drafts", "inserting"  # names of switches


def is_on(name: str) -> bool:
    """Whether a switch was left on; one that was never touched is on."""
    return _read().get(name, True)


def remember(name: str, on: bool) -> None:
    """Write down where a switch was left; where that is not possible it is forgotten."""
    small_files.write(FILE, _read() | {name: on})


def _read() -> dict[str, bool]:
    plain = small_files.read(FILE, MAX_BYTES)
    is_sound = isinstance(plain, dict) and all(type(value) is bool for value in plain.values())
    return plain if is_sound else {}
