"""Runs inside a plug-in's process: a timer in its main loop that writes down how long the loop was held.

A test starts it in the plug-in's launcher, and reads what it wrote by `holds`. Time in which the plug-in, or the GIMP
that it waits for, was ready to run and another process had the processor is not counted: else a busy machine would look
like a slow dialog.
"""

import os
import time
from pathlib import Path

PERIOD = 0.01  # s
SHORTEST = 0.03  # s: shorter holds are not written down
FILE = Path(os.environ.get("CASES_FOLDER", "."), "holds")


def watch():
    from gi.repository import GLib

    last, waited = time.monotonic(), _waited()

    def tick():
        nonlocal last, waited
        now, waited_now = time.monotonic(), _waited()
        held = now - last - PERIOD - (waited_now - waited)
        if held > SHORTEST:
            with FILE.open("a") as file:
                file.write(f"{last} {held} {now - last - PERIOD}\n")
        last, waited = now, waited_now
        return True

    GLib.timeout_add(round(1000 * PERIOD), tick)


def _waited():
    """Seconds that this process's and GIMP's main threads have waited for a processor since they began."""
    return sum(_waited_by(process) for process in (os.getpid(), os.getppid()))


def _waited_by(process):
    try:
        return int(Path(f"/proc/{process}/schedstat").read_text().split()[1]) / 1e9
    except (OSError, IndexError):  # a kernel that does not tell, or a GIMP that has gone
        return 0.0


def holds(since):
    """Seconds of each hold that began after a moment of time.monotonic."""
    lines = FILE.read_text().splitlines() if FILE.exists() else []
    found = [tuple(map(float, line.split())) for line in lines]
    return [held for began, held, _ in found if began >= since]
