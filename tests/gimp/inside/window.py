"""Runs inside the root, beside a GIMP with a window: drives it by accessible names, as a screen reader would."""

import contextlib
import json
import os
import random
import shutil
import subprocess
import time
import traceback
from pathlib import Path

import gi

gi.require_version("Atspi", "2.0")
gi.require_version("GdkPixbuf", "2.0")

from gi.repository import Atspi, GdkPixbuf  # noqa: E402 - the version must be chosen first

from tests.gimp.inside import gimp_process  # noqa: E402

PATIENCE = 60.0  # s
SHORT = 3.0  # s, for what is tried again
OPENING = 20.0  # s, for a window of ours to open on a busy machine, before its key is pressed again
STARTING = 180.0  # s, for GIMP to start on a busy machine
FOLDER = Path(os.environ["CASES_FOLDER"])
ROLE = Atspi.Role
SENSITIVE = Atspi.StateType.SENSITIVE


def wait_for(what, look, patience=PATIENCE):
    """The first thing that `look` finds."""
    deadline = time.monotonic() + patience
    while time.monotonic() < deadline and not gimp_process.has_died():
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


def is_sensitive(name, application="kandinsky"):
    return one(name, ROLE.PUSH_BUTTON, application).get_state_set().contains(SENSITIVE)


def press(name, application="kandinsky"):
    wait_for(f"{name} to be pressed", lambda: is_sensitive(name, application))
    one(name, ROLE.PUSH_BUTTON, application).do_action(0)


def close_the_dialog():
    press("Close")
    wait_for("the dialog to close", lambda: not find("Generate", ROLE.PUSH_BUTTON))


def windows_are_closed():
    """Whether our windows and their processes have gone, after asking those that are there to close.

    The processes too: GIMP 3.0 crashes at the end of a procedure whose layer has gone together with its image.
    """
    for name in ("Close", "Schließen", "Keep It Running"):
        for button in find(name, ROLE.PUSH_BUTTON, "kandinsky"):
            button.do_action(0)
    return not all_of(ROLE.PUSH_BUTTON) and not plug_in_runs()


def plug_in_runs():
    return subprocess.run(["pgrep", "-f", "kandinsky-blend.py -gimp"], capture_output=True, check=False).stdout


def start_anew():
    """Close what an earlier case has left, and open a fresh image; no procedure remembers its last values."""
    wait_for("our windows to close", windows_are_closed)
    for file in (FOLDER / "profile" / "plug-in-settings").glob("*.last"):
        file.unlink()
    home = Path(os.environ["KANDINSKY_BLEND_HOME"])
    for kept in ("pending-jobs", "results"):
        shutil.rmtree(home / kept, ignore_errors=True)
    (home / "switches.json").unlink(missing_ok=True)
    ask("fresh_image")


def entry(name):
    """What the text field holds."""
    return Atspi.Text.get_text(one(name, ROLE.TEXT), 0, -1)


def entries(name):
    """What each of the text fields of this name holds."""
    return [Atspi.Text.get_text(field, 0, -1) for field in find(name, ROLE.TEXT)]


def extents(node):
    """The place of a widget on the screen, in pixels."""
    return node.get_component_iface().get_extents(Atspi.CoordType.SCREEN)


def is_in(node, window):
    """Whether a widget lies in the window of this title."""
    return node is not None and (node.get_name() == window or is_in(node.get_parent(), window))


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


def written(name):
    """What stands in the number field."""
    return Atspi.Text.get_text(one(name, ROLE.SPIN_BUTTON), 0, -1)


def colour_at(node, across, down):
    """Red, green, blue on the screen, at a part of the way over a widget."""
    shot("colour")
    box = extents(node)
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
    """Whether it is on the screen, or would be if one scrolled."""
    while node is not None and not node.get_state_set().contains(Atspi.StateType.SHOWING):
        if not node.get_state_set().contains(Atspi.StateType.VISIBLE):
            return False
        node = node.get_parent()
    return node is not None


def labels():
    """The labels of the dialog that are not hidden."""
    return list(filter(is_shown, all_of(ROLE.LABEL)))


def toggle(name):
    """Press a switch, of either kind."""
    switches = (ROLE.TOGGLE_BUTTON, ROLE.CHECK_BOX)
    node = wait_for(f"the switch {name}", lambda: [node for role in switches for node in find(name, role)])[0]
    node.do_action(0)


def is_switched_on(name):
    return one(name, ROLE.CHECK_BOX).get_state_set().contains(Atspi.StateType.CHECKED)


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
    """Run the cases, in an order that CASES_SEED gives if it is set; how each of them ended goes into a file."""
    gimp_process.start()
    wait_for_gimp()
    names = [name for name in cases if name.startswith("test_")]
    if seed := os.environ.get("CASES_SEED"):
        random.Random(seed).shuffle(names)
    found = {name: _complaint(cases[name]) for name in names}
    (FOLDER / "report.json").write_text(json.dumps(found))


def wait_for_gimp():
    gimp_window(STARTING)
    ask("images", STARTING)


def _complaint(case):
    """What went wrong in a case. A GIMP that has died is explained, and started anew for the next case."""
    began = time.monotonic()
    try:
        case()
    except Exception:  # noqa: BLE001 - whatever it is goes into the report
        shot(case.__name__)
        complaint = traceback.format_exc()
        if gimp_process.has_died() or "GIMP's answer" in complaint:
            complaint += gimp_process.explain()
            gimp_process.restart()
            wait_for_gimp()
        return complaint
    finally:
        with (FOLDER / "seconds.txt").open("a") as file:
            file.write(f"{time.monotonic() - began:.1f} {case.__name__}\n")
    return ""


def activate():
    """Bring GIMP's window to the front; on a busy machine the window manager comes up later than GIMP."""
    command = ["xdotool", "windowactivate", "--sync", gimp_window()]
    wait_for("the window manager", lambda: subprocess.run(command, check=False).returncode == 0)


def bring_to_front(title):
    """Let our window of this title have the keys; xdotool fails where another one goes while it looks for it."""
    command = ["xdotool", "search", "--onlyvisible", "--name", f"^{title}$", "windowactivate", "--sync"]
    wait_for(f"{title} in front", lambda: subprocess.run(command, check=False).returncode == 0)


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


KEYS = {
    "Blend Layers and Prompts": "F5",
    "Text to Image": "F6",
    "Sweep from Weights to Weights": "F7",
    "Use These Settings Again": "F8",
    "Daemon Status": "F9",
    "Repaint Selection": "F10",
    "Remove Selection": "F3",
    "Refine Layer": "F11",
    "Upscale Layer": "F2",
    "Extend Canvas": "F12",
}  # with Ctrl: see editor.py


# GIMP 3.2 leaves keys of plug-ins' entries alone that stand in its shortcutsrc before it starts.
TAKES_KEYS = os.environ["GIMP"] == "gimp-3.0"


def open_entry(words):
    """Open a menu entry by its key, or by GIMP's slower search where it has none, and wait for its window."""
    before = our_windows()
    is_opened = is_opened_by_key if TAKES_KEYS else is_opened_by_search
    wait_for(f"the window of {words}", lambda: is_opened(words, before), STARTING)


def is_opened_by_search(words, before):
    open_by_search(words)
    with contextlib.suppress(AssertionError):
        return wait_for(f"the window of {words}", lambda: our_windows() > before, OPENING)


def is_opened_by_key(words, before):
    """Press the key; on a busy machine another window may have got it, and it is tried again."""
    activate()
    keys("key", f"ctrl+{KEYS[words]}")
    with contextlib.suppress(AssertionError):
        return wait_for(f"the window of {words}", lambda: our_windows() > before, OPENING)


def our_windows():
    """The number of windows of our plug-in that are open."""
    apps = [app for app in applications() if app and "kandinsky" in (app.get_name() or "")]
    return sum(app.get_child_count() for app in apps)


def is_on_the_screen(title):
    """Whether a window of this title is shown, asked of the display: a busy plug-in answers late."""
    search = ["xdotool", "search", "--onlyvisible", "--name", f"^{title}$"]
    return subprocess.run(search, capture_output=True, check=False).returncode == 0


def open_by_search(words):
    """Open a menu entry by GIMP's search for actions."""
    search_entry(words)
    keys("key", "Return")
    wait_for("GIMP's search to close", lambda: not in_search(ROLE.TABLE_CELL))


def search_entry(words):
    """Have GIMP's search for actions show an entry, which Return then opens.

    On a busy machine another window may come to the front meanwhile, and get the keys: then it is tried again.
    """
    wait_for(f"GIMP to find {words}", lambda: is_found_by_search(words), STARTING)


def is_found_by_search(words):
    activate()
    keys("key", "slash")
    try:
        title = wait_for("GIMP's search", search_windows, SHORT)[0].get_name()
        keys("search", "--name", f"^{title}$", "windowactivate", "--sync")
        wait_for("the field", lambda: [field for field in in_search(ROLE.TEXT) if has_focus(field)], SHORT)
        keys("type", "--delay", "20", words)
        return wait_for(f"GIMP to find {words}", lambda: first_found().startswith(words), SHORT)
    except (AssertionError, subprocess.CalledProcessError):  # the latter where a window goes while xdotool looks at it
        keys("key", "Escape")  # closes the search, for the next try
        return False


def in_search(role):
    """The widgets of this kind in GIMP's search for actions."""
    return [node for window in search_windows() for node in nodes(window) if node.get_role() == role]


def search_windows():
    """GIMP's search for actions, its only window besides that of the images."""
    windows = [
        app.get_child_at_index(n) for app in applications() if is_gimp(app) for n in range(app.get_child_count())
    ]
    return [window for window in windows if window and not window.get_name().endswith(("GIMP", "Program"))]


def is_gimp(app):
    return bool(app) and (app.get_name() or "").startswith("gimp")


def has_focus(node):
    return node.get_state_set().contains(Atspi.StateType.FOCUSED)


def first_found():
    """What the first line in GIMP's search says; its icon has no name."""
    return next(filter(None, (cell.get_name() for cell in in_search(ROLE.TABLE_CELL))), "")
