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
gi.require_version("GdkPixbuf", "2.0")

from gi.repository import Atspi, GdkPixbuf  # noqa: E402 - the version must be chosen first

PATIENCE = 60.0  # s
STARTING = 180.0  # s, for GIMP to start on a busy machine
FOLDER = Path(os.environ["CASES_FOLDER"])
ROLE = Atspi.Role
SENSITIVE = Atspi.StateType.SENSITIVE


def wait_for(what, look, patience=PATIENCE):
    """The first thing that `look` finds."""
    deadline = time.monotonic() + patience
    while time.monotonic() < deadline:
        with contextlib.suppress(gi.repository.GLib.Error):  # what was looked at has gone meanwhile
            if found := look():
                return found
        time.sleep(0.05)
    raise AssertionError(f"waited {patience:g} s in vain for {what}")


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


def close_the_dialog():
    press("Cancel")
    wait_for("the dialog to close", lambda: not find("Generate", ROLE.PUSH_BUTTON))


def entry(name):
    """What the text field holds."""
    return Atspi.Text.get_text(one(name, ROLE.TEXT), 0, -1)


def spin(name, value):
    one(name, ROLE.SPIN_BUTTON).set_current_value(value)


def choose(name, label):
    """An entry of a list by its label."""
    combo = one(name, ROLE.COMBO_BOX)
    menu = combo.get_child_at_index(0)
    labels = [menu.get_child_at_index(n).get_name() for n in range(menu.get_child_count())]
    assert label in labels, labels
    combo.get_selection_iface().select_child(labels.index(label))


def set_size(width, height):
    choose("Size", "Custom")
    spin("Width", width)
    spin("Height", height)


def value(name):
    """What the number field holds."""
    return one(name, ROLE.SPIN_BUTTON).get_current_value()


def colour_at(node, across, down):
    """Red, green, blue on the screen, at a part of the way over a widget."""
    shot("colour")
    box = node.get_component_iface().get_extents(Atspi.CoordType.SCREEN)
    picture = GdkPixbuf.Pixbuf.new_from_file(str(FOLDER / "colour.png"))
    (FOLDER / "colour.png").unlink()
    x, y = box.x + int(box.width * across), box.y + int(box.height * down)
    start = y * picture.get_rowstride() + x * picture.get_n_channels()
    return tuple(picture.get_pixels()[start : start + 3])


def keys(*words):
    subprocess.run(["xdotool", *words], check=True)


def shot(name):
    subprocess.run(["scrot", "-o", str(FOLDER / f"{name}.png")], check=False)


def all_of(role):
    """The widgets of the dialog of this kind."""
    return [
        node
        for app in applications()
        if app and "kandinsky" in (app.get_name() or "")
        for node in nodes(app)
        if node.get_role() == role
    ]


def shown(name):
    """The widgets of this name that are not hidden."""
    return list(filter(is_shown, find(name)))


def is_shown(node):
    return node.get_state_set().contains(Atspi.StateType.SHOWING)


def labels():
    """The labels of the dialog that are not hidden."""
    return list(filter(is_shown, all_of(ROLE.LABEL)))


def toggle(name):
    """Press a switch, of either kind."""
    switches = (ROLE.TOGGLE_BUTTON, ROLE.CHECK_BOX)
    node = wait_for(f"the switch {name}", lambda: [node for role in switches for node in find(name, role)])[0]
    node.do_action(0)


def text_of():
    """What the labels of the dialog say."""
    return [label.get_name() for label in labels()]


def starting(words):
    """The labels that begin so."""
    return [label for label in labels() if label.get_name().startswith(words)]


def check(found, expected):
    if found != expected:
        raise AssertionError(f"found {found!r:.300}, expected {expected!r:.300}")


def ask(question, patience=PATIENCE):
    """What probe.py, inside GIMP, answers."""
    (FOLDER / "question.part").write_text(question)
    (FOLDER / "question.part").rename(FOLDER / "question")
    wait_for("GIMP's answer", (FOLDER / "answer").exists, patience)
    answer = json.loads((FOLDER / "answer").read_text())
    (FOLDER / "answer").unlink()
    return answer


def report(cases):
    """Run the cases in their order; how each of them ended goes into a file."""
    gimp_window(STARTING)
    ask("images", STARTING)
    found = {name: _complaint(case) for name, case in list(cases.items()) if name.startswith("test_")}
    (FOLDER / "report.json").write_text(json.dumps(found))


def _complaint(case):
    try:
        case()
    except Exception:  # noqa: BLE001 - whatever it is goes into the report
        shot(case.__name__)
        return traceback.format_exc()
    return ""


def activate():
    """Bring GIMP's window to the front; on a busy machine the window manager comes up later than GIMP."""
    command = ["xdotool", "windowactivate", "--sync", gimp_window()]
    wait_for("the window manager", lambda: subprocess.run(command, check=False).returncode == 0)


def gimp_window(patience=PATIENCE):
    return wait_for(
        "GIMP's window",
        lambda: subprocess.run(
            ["xdotool", "search", "--onlyvisible", "--name", "GNU Image Manipulation Program|– GIMP"],
            capture_output=True,
            text=True,
            check=False,
        ).stdout.split(),
        patience,
    )[-1]


def open_entry(words):
    """Open a menu entry by GIMP's search for actions."""
    search_entry(words)
    keys("key", "Return")


def search_entry(words):
    """Have GIMP's search for actions show an entry, which Return then opens."""
    activate()
    keys("key", "slash")
    wait_for("GIMP's search", lambda: [field for field in in_search(ROLE.TEXT) if has_focus(field)])
    keys("type", "--delay", "20", words)
    wait_for(f"GIMP to find {words}", lambda: first_found().startswith(words))


def in_search(role):
    """The widgets of this kind in GIMP's search for actions, its only window besides that of the images."""
    windows = [
        app.get_child_at_index(n) for app in applications() if is_gimp(app) for n in range(app.get_child_count())
    ]
    search = [window for window in windows if not window.get_name().endswith(("GIMP", "Program"))]
    return [node for window in search for node in nodes(window) if node.get_role() == role]


def is_gimp(app):
    return bool(app) and (app.get_name() or "").startswith("gimp")


def has_focus(node):
    return node.get_state_set().contains(Atspi.StateType.FOCUSED)


def first_found():
    """What the first line in GIMP's search says; its icon has no name."""
    return next(filter(None, (cell.get_name() for cell in in_search(ROLE.TABLE_CELL))), "")
