"""`python -m plugin_client.wire.document` writes the table of the settings into PROTOCOL.md."""

from __future__ import annotations

import json
from pathlib import Path

from plugin_client.wire.settings import SETTINGS, SettingField

DOCUMENT = Path(__file__).with_name("PROTOCOL.md")

_HEAD = "| field | type | bounds | default | meaning |\n|---|---|---|---|---|\n"
_BEFORE, _AFTER = "### settings\n", "\n### "
_TYPES = {int: "int", float: "float", str: "text", bool: "bool"}


def settings_table() -> str:
    """Return the table of the settings, a row each."""
    return _HEAD + "".join(f"| {' | '.join(_row(one))} |\n" for one in SETTINGS.values()).replace("|  |", "| |")


def with_settings(document: str) -> str:
    """Return `document` with the table of the settings in place of the one that stands there."""
    before, heading, rest = document.partition(_BEFORE)
    section, following, after = rest.partition(_AFTER)
    words = section[: section.index(_HEAD)]
    return before + heading + words + settings_table() + following + after


def _row(one: SettingField) -> tuple[str, ...]:
    return one.name, _TYPES[one.type], _bounds(one), json.dumps(one.default), one.setting.help


def _bounds(one: SettingField) -> str:
    if one.choices or one.type is bool:
        return ", ".join(one.choices)
    low, high = one.setting.bounds
    return f"{low:.0f}..{high:.0f}"


if __name__ == "__main__":
    DOCUMENT.write_text(with_settings(DOCUMENT.read_text(encoding="utf-8")), encoding="utf-8")
