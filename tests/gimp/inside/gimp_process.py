"""Runs inside the root: the GIMP with a window that the cases drive, started anew after a crash of its own."""

import os
import subprocess
import time
from pathlib import Path

FOLDER = Path(os.environ["CASES_FOLDER"])
CRASHES = FOLDER / "profile" / "CrashLog"
PROBE = "import sys; sys.path.insert(0, {!r}); from tests.gimp.inside.probe import serve; serve()"
END_SECONDS = 5.0

_started = []  # the processes, the last of which is the one that runs


def start():
    """Start GIMP with the image of two layers, as its batch the probe that answers questions."""
    command = [os.environ["GIMP"], "--no-splash", "--no-fonts", str(FOLDER / "window.xcf")]
    probe = ["--batch-interpreter", "python-fu-eval", "-b", PROBE.format(os.environ["PROJECT"])]
    with (FOLDER / "gimp.log").open("ab") as log:
        _started.append(subprocess.Popen([*command, *probe], stdout=log, stderr=log))


def has_died():
    """Whether GIMP has ended, or only shows how it crashed."""
    return _started[-1].poll() is not None or any(CRASHES.glob("*.txt"))


def restart():
    """Start another one in the place of one that has died."""
    for file in CRASHES.glob("*.txt"):
        file.rename(file.with_suffix(".seen"))
    _started[-1].kill()
    _started[-1].wait(END_SECONDS)
    for name in ("question", "answer"):
        (FOLDER / name).unlink(missing_ok=True)
    start()


def explain():
    """What is known of a GIMP that does not answer: its crash, its last words, the state of each thread of all."""
    crash = "\n".join(file.read_text() for file in CRASHES.glob("*.txt")) or "no crash was written down"
    words = (FOLDER / "gimp.log").read_text(errors="replace")[-2000:]
    return f"GIMP crashed:\n{crash}\nGIMP's log:\n{words}\nThreads:\n{''.join(_threads())}"


def _threads():
    for task in sorted(Path("/proc").glob("[0-9]*/task/*")):
        try:
            yield f"{task} {(task / 'comm').read_text().strip()} {(task / 'wchan').read_text()}\n"
        except OSError:  # it has just ended
            time.sleep(0)
