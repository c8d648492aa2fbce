"""What the dialogs remember in small files of the data folder. None of it is worth an error."""

from __future__ import annotations

import json
from contextlib import suppress
from typing import Any

from plugin_client.wire.errors import EndpointError
from plugin_client.wire.paths import data_folder, make_data_folder, write_privately


def read(name: str, max_bytes: int) -> Any:
    """Return the JSON value in a file, of which no more than `max_bytes` are read; None where there is none."""
    try:
        with (data_folder() / name).open("rb") as file:
            return json.loads(file.read(max_bytes))
    except (OSError, ValueError, RecursionError, EndpointError):
        return None


def write(name: str, value: Any) -> None:
    """Write a value down as JSON; where that is not possible it is forgotten."""
    with suppress(OSError, EndpointError):
        write_privately(make_data_folder() / name, json.dumps(value, ensure_ascii=False))
