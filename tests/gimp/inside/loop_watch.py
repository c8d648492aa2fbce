"""Runs inside a plug-in's process: a timer in its main loop that writes down how long the loop was held.

A test starts it in the plug-in's launcher, and reads what it wrote by `holds`.
"""

import os
import time
from pathlib import Path

PERIOD = 0.01  # s
SHORTEST = 0.03  # s: shorter holds are not written down
FILE = Path(os.environ.get("CASES_FOLDER", "."), "holds")


def watch():
    from gi.repository import GLib

    last = time.monotonic()

    def tick():
        nonlocal last
        now = time.monotonic()
        held = now - last - PERIOD
        if held > SHORTEST:
            with FILE.open("a") as file:
                file.write(f"{last} {held}\n")
        last = now
        return True

    GLib.timeout_add(round(1000 * PERIOD), tick)


def holds(since):
    """Seconds of each hold that began after a moment of time.monotonic."""
    lines = FILE.read_text().splitlines() if FILE.exists() else []
    found = [tuple(map(float, line.split())) for line in lines]
    return [held for began, held in found if began >= since]
