"""Runs inside the root, beside a GIMP with a window: drives it by accessible names, as a screen reader would."""

import contextlib
import json
import os
import subprocess
import time
import traceback
from pathlib import Path

import gi

gi.require_version("Atspi", "2.0")

from gi.repository import Atspi  # noqa: E402 - the version must be chosen first

PATIENCE = 60.0  # s
FOLDER = Path(os.environ["CASES_FOLDER"])
ROLE = Atspi.Role
SENSITIVE = Atspi.StateType.SENSITIVE


def wait_for(what, look):
    """The first thing that `look` finds."""
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        with contextlib.suppress(gi.repository.GLib.Error):  # what was looked at has gone meanwhile
            if found := look():
                return found
        time.sleep(0.05)
    raise AssertionError(f"waited {PATIENCE:g} s in vain for {what}")


def nodes(top):
    try:
        yield top
        for n in range(top.get_child_count()):
            if child := top.get_child_at_index(n):
                yield from nodes(child)
    except gi.repository.GLib.Error:
        return  # it has gone meanwhile


def applications():
    desktop = Atspi.get_desktop(0)
    return [desktop.get_child_at_index(n) for n in range(desktop.get_child_count())]


def find(name, role=None, application=""):
    """The widgets of this name that are to be seen."""
    return [
        node
        for app in applications()
        if app and application in (app.get_name() or "")
        for node in nodes(app)
        if node.get_name() == name and (role is None or node.get_role() == role)
    ]


def one(name, role=None, application="kandinsky"):
    return wait_for(f"{name} ({role})", lambda: find(name, role, application))[0]


def press(name, application="kandinsky"):
    button = ROLE.PUSH_BUTTON, application
    wait_for(f"{name} to be pressed", lambda: one(name, *button).get_state_set().contains(SENSITIVE))
    one(name, *button).do_action(0)


def entry(name):
    """What the text field holds."""
    return Atspi.Text.get_text(one(name, ROLE.TEXT), 0, -1)


def spin(name, value):
    one(name, ROLE.SPIN_BUTTON).set_current_value(value)


def keys(*words):
    subprocess.run(["xdotool", *words], check=True)


def shot(name):
    subprocess.run(["scrot", "-o", str(FOLDER / f"{name}.png")], check=False)


def labels():
    """The labels of the dialog."""
    return [
        node
        for app in applications()
        if app and "kandinsky" in (app.get_name() or "")
        for node in nodes(app)
        if node.get_role() == ROLE.LABEL
    ]


def text_of():
    """What the labels of the dialog say."""
    return [label.get_name() for label in labels()]


def starting(words):
    """The labels that begin so."""
    return [label for label in labels() if label.get_name().startswith(words)]


def check(found, expected):
    if found != expected:
        raise AssertionError(f"found {found!r:.300}, expected {expected!r:.300}")


def ask(question):
    """What probe.py, inside GIMP, answers."""
    (FOLDER / "question.part").write_text(question)
    (FOLDER / "question.part").rename(FOLDER / "question")
    wait_for("GIMP's answer", (FOLDER / "answer").exists)
    answer = json.loads((FOLDER / "answer").read_text())
    (FOLDER / "answer").unlink()
    return answer


def report(cases):
    """Run the cases in their order; how each of them ended goes into a file."""
    gimp_window()
    ask("images")
    found = {name: _complaint(case) for name, case in list(cases.items()) if name.startswith("test_")}
    (FOLDER / "report.json").write_text(json.dumps(found))


def _complaint(case):
    try:
        case()
    except Exception:  # noqa: BLE001 - whatever it is goes into the report
        shot(case.__name__)
        return traceback.format_exc()
    return ""


def gimp_window():
    return wait_for(
        "GIMP's window",
        lambda: subprocess.run(
            ["xdotool", "search", "--onlyvisible", "--name", "GNU Image Manipulation Program|– GIMP"],
            capture_output=True,
            text=True,
            check=False,
        ).stdout.split(),
    )[-1]


def open_entry(words):
    """Open a menu entry by GIMP's search for actions."""
    search_entry(words)
    keys("key", "Return")


def search_entry(words):
    """Have GIMP's search for actions show an entry, which Return then opens."""
    keys("windowactivate", "--sync", gimp_window())
    keys("key", "slash")
    time.sleep(1.0)
    keys("type", "--delay", "20", words)
    time.sleep(1.0)
