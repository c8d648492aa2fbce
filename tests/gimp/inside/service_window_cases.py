"""Daemon Status, and lost results offered again, in a GIMP with a window: step by step, at first without a daemon."""

import os
import signal
import subprocess

import gi

gi.require_version("Atspi", "2.0")
gi.require_version("Gtk", "3.0")
gi.require_version("Gdk", "3.0")

from gi.repository import Atspi, Gdk, Gtk  # noqa: E402 - the versions must be chosen first

from tests.gimp.inside.window import (  # noqa: E402
    FOLDER,
    ROLE,
    SENSITIVE,
    STARTING,
    activate,
    ask,
    check,
    close_the_dialog,
    find,
    keys,
    one,
    open_entry,
    press,
    report,
    set_size,
    shot,
    spin,
    text_of,
    wait_for,
)

PROGRAM = FOLDER / "bin" / "kandinsky-blend"
STATUS = "Kandinsky: Daemon Status"
TITLE = "0.5 red + 0.5 blue, seed 7"
STEPS = 60  # so many that a fast machine is not done before a plug-in is killed, so few that a slow one is done soon


def says(start):
    return [text for text in text_of() if text.startswith(start)]


def is_sensitive(name):
    return one(name, ROLE.PUSH_BUTTON).get_state_set().contains(SENSITIVE)


def is_shown(name):
    return one(name, ROLE.PUSH_BUTTON).get_state_set().contains(Atspi.StateType.SHOWING)


def show_the_status():
    """Before the other windows."""
    keys("search", "--name", STATUS, "windowactivate", "--sync")


def set_up_a_blend(steps):
    open_entry("Blend Layers and Prompts")
    one("Generate", ROLE.PUSH_BUTTON)
    for name, value in (("Steps", steps), ("Seed", 7)):
        spin(name, value)
    set_size(64, 48)


def begin_a_blend(steps):
    set_up_a_blend(steps)
    press("Generate")
    wait_for("a step", lambda: says("Denoising, step"))


def kill_the_plug_in():
    """The one that shows the blend dialog, as GIMP does it."""
    gone = one("Generate", ROLE.PUSH_BUTTON).get_process_id()
    os.kill(gone, signal.SIGKILL)
    wait_for("the dialog to go", lambda: not find("Generate", ROLE.PUSH_BUTTON))
    press("OK", "gimp")  # GIMP says that a plug-in has crashed


def undo():
    activate()
    keys("key", "ctrl+z")


def layers():
    return ask("images")[0][:-1]


def test_without_a_daemon_it_says_so():
    open_entry("Daemon Status")
    wait_for("the state", lambda: says("Not running"))
    check((is_sensitive("Start"), is_sensitive("Stop")), (True, False))
    shot("status-none")


def test_start_says_a_word_at_once_and_starts_one():
    press("Start")
    wait_for("a word", lambda: says("Starting the daemon"))
    wait_for("the daemon", lambda: says("Running for"))
    wait_for("its device", lambda: "On the processor (CPU), in full precision (float32)" in text_of())
    check((is_sensitive("Start"), is_sensitive("Stop")), (False, True))
    assert says("No picture waits"), text_of()
    assert [text for text in text_of() if text.endswith(": not loaded until it is needed")], text_of()


def test_a_job_is_shown_with_its_progress_and_can_be_given_up():
    begin_a_blend(1000)
    check(wait_for("the job", lambda: says(TITLE)), [TITLE])
    wait_for("its progress", lambda: len(says("Denoising, step")) == 2)
    assert says("Pictures that wait or are being made: 1"), text_of()
    wait_for("the memory", lambda: [text for text in text_of() if text.endswith(" MB")])
    show_the_status()
    shot("status")
    press("Cancel this picture")
    wait_for("the end", lambda: says("Stopped"))
    wait_for("the queue to be empty", lambda: says("No picture waits"))
    close_the_dialog()
    press("Close")
    wait_for("the window to close", lambda: not find("Stop", ROLE.PUSH_BUTTON))


def test_a_picture_whose_plug_in_was_killed_is_offered_and_comes_into_its_image_in_one_undo_step():
    before = ask("images")
    begin_a_blend(STEPS)
    kill_the_plug_in()
    open_entry("Blend Layers and Prompts")
    ready = f"A picture from an earlier session is ready: {TITLE}"
    wait_for("the offer", lambda: ready in text_of())
    shot("offer")
    press("Open")
    wait_for("the word", lambda: says(f"Here it is: Kandinsky: {TITLE}"))
    check(layers(), [f"Kandinsky: {TITLE}", *before[0][:-1]])
    shot("opened")
    undo()
    wait_for("the undo", lambda: ask("images") == before)
    close_the_dialog()


def test_a_job_that_still_runs_is_shown_and_can_be_discarded():
    begin_a_blend(1000)
    kill_the_plug_in()
    open_entry("Blend Layers and Prompts")
    wait_for("the offer", lambda: says(f"A picture from an earlier session is still being made: {TITLE}\nDenoising"))
    check(is_shown("Open"), False)
    shot("still-running")
    press("Discard")
    wait_for("the bar to go", lambda: not is_shown("Discard"))
    close_the_dialog()


def test_gimps_own_cancel_kills_the_plug_in_and_the_picture_is_offered():
    set_up_a_blend(STEPS)
    press("Generate")
    wait_for("the picture", lambda: says("Done in"))
    close_the_dialog()
    undo()
    before = ask("images")
    keys("key", "ctrl+f")  # the same again, with GIMP's own progress
    (cancel,) = wait_for("GIMP's Cancel", gimps_cancel)
    shot("gimps-progress")
    assert plug_in_runs()
    cancel.do_action(0)
    wait_for("the plug-in to end", lambda: not plug_in_runs())
    check(ask("images"), before)
    open_entry("Blend Layers and Prompts")
    wait_for("the offer", lambda: says(f"A picture from an earlier session is ready: {TITLE}"), STARTING)
    press("Open")
    wait_for("the word", lambda: says("Here it is"))
    check(layers(), [f"Kandinsky: {TITLE}", *before[0][:-1]])
    close_the_dialog()


def gimps_cancel():
    """The button in the status bar, once the progress of the plug-in is there."""
    buttons = find("Cancel", ROLE.PUSH_BUTTON, "gimp")
    return [button for button in buttons if button.get_state_set().contains(SENSITIVE)]


def plug_in_runs():
    return subprocess.run(["pgrep", "-f", "kandinsky-blend.py -gimp"], capture_output=True, check=False).stdout


def test_stop_asks_when_a_picture_is_being_made_and_stops():
    begin_a_blend(1000)
    open_entry("Daemon Status")
    wait_for("the job", lambda: says("Pictures that wait or are being made: 1"))
    press_stop_in_the_status()
    wait_for("the question", lambda: says("Pictures that it has yet to finish, and would give up: 1"))
    shot("stop-asks")
    press("Stop the Daemon")
    wait_for("its end", lambda: says("Not running"))
    wait_for("the dialog to be told", lambda: not says("Denoising"))


def press_stop_in_the_status():
    (stop,) = [button for button in find("Stop", ROLE.PUSH_BUTTON, "kandinsky") if is_in(button, STATUS)]
    stop.do_action(0)


def test_the_dialog_that_was_open_starts_another_daemon():
    spin("Steps", 3)
    press("Generate")
    wait_for("the picture", lambda: says("Done in"), STARTING)
    wait_for("the state", lambda: says("Running for"))
    press_stop_in_the_status()
    wait_for("its end", has_stopped)
    close_the_dialog()
    press("Close")


def has_stopped():
    """The status asks first where its last look at the daemon is older than the picture's end."""
    for button in find("Stop the Daemon", ROLE.PUSH_BUTTON):
        button.do_action(0)
    return says("Not running")


def is_in(node, window):
    """Whether a widget lies in the window of this title."""
    return node is not None and (node.get_name() == window or is_in(node.get_parent(), window))


def test_where_gimp_cannot_start_one_the_line_can_be_copied():
    PROGRAM.rename(PROGRAM.with_name("elsewhere"))
    wait_for("the window to close", lambda: not find("Close", ROLE.PUSH_BUTTON, "kandinsky"))
    open_entry("Daemon Status")
    wait_for("the reason", lambda: says(f"GIMP cannot start the daemon here: the program {PROGRAM} is not there."))
    check(is_sensitive("Start"), False)
    shot("by-hand")
    press("Copy")
    clipboard = Gtk.Clipboard.get(Gdk.SELECTION_CLIPBOARD)
    wait_for("the line", lambda: clipboard.wait_for_text() == f"{PROGRAM} start")
    press("Close")


if __name__ == "__main__":
    report(globals())
