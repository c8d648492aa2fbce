"""What jobs draw into, noted while they run, so that a result that is fetched later gets the rest of its picture.

A job is sent the region alone, and no path: where the region was cut out of is known to the program that asked. It
notes the file, the box and the mask; the picture itself stays in its file, and is recognised by its pixels. One that
was in no file is noted whole, as long as it is not too large.
"""

from __future__ import annotations

import time
from contextlib import suppress
from pathlib import Path

from plugin_client import canvas
from plugin_client.canvas import Canvas
from plugin_client.wire.errors import EndpointError, UsageError
from plugin_client.wire.marking import N_
from plugin_client.wire.paths import data_folder, make_subfolder, write_privately

FOLDER = "drawn-into"  # in the data folder; a file a job
KEPT_SECONDS = 7 * 24 * 3600  # of a note; daemons keep results for a day, and a queue may be long


def note(job: str, sheet: Canvas) -> None:
    """Note what a job draws into, as far as Canvas.noted can say it.

    A note that cannot be written is none: the job itself does not depend on it.
    """
    text = sheet.noted()
    if text:
        with suppress(OSError, EndpointError):
            _remove_old(make_subfolder(FOLDER))
            write_privately(_note(job), text)


def find(job: str) -> Canvas | None:
    """Return what a job draws into; None where nothing is noted.

    Raises:
        UsageError: its file is gone or holds another picture by now, or the note is damaged; the text says which.
    """
    try:
        text = _note(job).read_text()
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as exc:
        raise UsageError(N_("what was noted of the job is damaged: {reason}"), "note", reason=exc) from exc
    return canvas.read_noted(text)


def forget(job: str) -> None:
    """Remove the note of a job whose result was taken, if there is one."""
    with suppress(OSError):
        _note(job).unlink()


def forget_all() -> None:
    """Remove all notes."""
    for file in (data_folder() / FOLDER).glob("*.json"):
        forget(file.stem)


def _note(job: str) -> Path:
    return data_folder() / FOLDER / f"{job}.json"


def _remove_old(folder: Path) -> None:
    for file in folder.glob("*.json"):
        if file.stat().st_mtime < time.time() - KEPT_SECONDS:
            file.unlink()
