"""Daemon Status, recovered results, and the start of a daemon, in a GIMP with a window.

Each case begins with a fresh image, and with a daemon or without one.
"""

import contextlib
import os
import shutil
import signal
import subprocess
import time
from pathlib import Path

import gi

gi.require_version("Atspi", "2.0")
gi.require_version("Gtk", "3.0")
gi.require_version("Gdk", "3.0")

from gi.repository import Atspi, Gdk, Gtk  # noqa: E402 - the versions must be chosen first

from plugin_client.editor.connection import running_daemon  # noqa: E402
from plugin_client.wire import paths  # noqa: E402
from tests.gimp.inside.loop_watch import holds  # noqa: E402
from tests.gimp.inside.window import (  # noqa: E402
    FOLDER,
    ROLE,
    SENSITIVE,
    STARTING,
    activate,
    ask,
    bring_to_front,
    check,
    close_the_dialog,
    find,
    is_in,
    is_sensitive,
    keys,
    one,
    open_entry,
    plug_in_runs,
    press,
    report,
    set_size,
    shot,
    spin,
    start_anew,
    text_of,
    toggle,
    wait_for,
)

BIN = FOLDER / "bin"
HOME = Path(os.environ["KANDINSKY_BLEND_HOME"])
PROGRAM = BIN / "kandinsky-blend"
STATUS = "Kandinsky: Daemon Status"
TITLE = "0.5 red + 0.5 blue, seed 7"
READY = f"A picture from an earlier session is ready: {TITLE}"
STEPS = 60  # so many that a fast machine is not done before a plug-in is killed, so few that a slow one is done soon
LONGEST_HOLD = 0.3  # s, of the dialog's main loop, on a busy machine, where it was 0.03; a daemon starts in several


def begin_without_a_daemon():
    start_anew()
    subprocess.run([BIN / "python", "-m", "plugin_client.cli", "stop"], capture_output=True, check=False)


def begin_with_a_daemon():
    start_anew()
    subprocess.run([PROGRAM, "start"], capture_output=True, check=False)  # it refuses where one runs
    # What an earlier case has left, with which a daemon goes on when it is started again.
    subprocess.run([BIN / "python", "-m", "tests.gimp.inside.give_up_jobs"], check=True)


def says(start):
    return [text for text in text_of() if text.startswith(start)]


def is_shown(name):
    return one(name, ROLE.PUSH_BUTTON).get_state_set().contains(Atspi.StateType.SHOWING)


def open_status(state):
    open_entry("Daemon Status")
    wait_for("the state", lambda: says(state))


def set_up_a_blend(steps):
    open_entry("Blend Layers and Prompts")
    one("Generate", ROLE.PUSH_BUTTON)
    for name, value in (("Steps", steps), ("Seed", 7)):
        spin(name, value)
    set_size(64, 48)


def begin_a_blend(steps):
    set_up_a_blend(steps)
    press("Generate")
    wait_for("a step", lambda: says("Denoising, step"), STARTING)


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
    begin_without_a_daemon()
    open_entry("Blend Layers and Prompts")
    promise = "Made at the size that the model draws best, placed at 400 x 300 pixels"  # which one is not known yet
    wait_for("the promise", lambda: says(promise))
    open_status("Not running")
    check((is_sensitive("Start"), is_sensitive("Stop")), (True, False))
    shot("status-none")


def test_start_says_a_word_at_once_and_starts_one_which_takes_no_promise_back():
    begin_without_a_daemon()
    open_entry("Blend Layers and Prompts")
    set_size(640, 480)
    promise = "Made at 640 x 480, placed at 400 x 300 pixels"
    wait_for("the promise", lambda: says(promise))
    open_status("Not running")
    press("Start")
    wait_for("a word", lambda: says("Starting the daemon"))
    wait_for("the daemon", lambda: says("Running for"), STARTING)
    wait_for("its device", lambda: "On the processor (CPU), in full precision (float32)" in text_of(), STARTING)
    check((is_sensitive("Start"), is_sensitive("Stop")), (False, True))
    assert says("No picture waits"), text_of()
    assert [text for text in text_of() if text.endswith(": not loaded until it is needed")], text_of()
    bring_to_front("Blend Layers and Prompts")
    toggle("More")
    wait_for("the dialog to know the daemon", lambda: says("Computes on the processor"))
    assert says(promise), text_of()


def test_while_a_daemon_starts_the_dialog_goes_on_and_stop_works():
    begin_without_a_daemon()
    set_up_a_blend(1000)
    (generate,) = find("Generate", ROLE.PUSH_BUTTON)
    since = time.monotonic()
    generate.do_action(0)
    wait_for("a word", lambda: says("Starting the daemon"))
    shot("starting")
    press("Stop")
    wait_for("the end", lambda: says("Stopped"))
    press("Generate")
    wait_for("a step", lambda: says("Denoising, step"), STARTING)
    press("Stop")
    wait_for("the end", lambda: says("Stopped"))
    longest = max(holds(since), default=0.0)
    (FOLDER / "longest-hold").write_text(f"{longest:.3f}")
    assert longest < LONGEST_HOLD, sorted(holds(since))[-5:]


def test_a_job_is_shown_with_its_progress_and_can_be_given_up():
    begin_with_a_daemon()
    open_status("Running for")
    begin_a_blend(1000)
    wait_for("the job in both windows", lambda: says(TITLE) == [TITLE] * 2)
    wait_for("its progress", lambda: len(says("Denoising, step")) == 2)
    assert says("Pictures that wait or are being made: 1"), text_of()
    wait_for("the memory", lambda: [text for text in text_of() if text.endswith(" MB")])
    bring_to_front(STATUS)
    shot("status")
    press("Cancel this picture")
    wait_for("the end", lambda: says("Stopped"))
    wait_for("the queue to be empty", lambda: says("No picture waits"))


def test_what_failed_last_is_shown_with_its_reason():
    begin_with_a_daemon()
    open_status("Running for")
    check(says("Failed last"), [])
    subprocess.run([BIN / "python", "-m", "tests.gimp.inside.fail_a_job"], check=True)
    wait_for("the failure", lambda: [text for text in text_of() if " ago: " in text])
    assert says("1 a picture that never was, seed 5"), text_of()
    bring_to_front(STATUS)
    shot("status-failures")


def test_a_picture_whose_plug_in_was_killed_is_offered_and_comes_into_its_image_in_one_undo_step():
    begin_with_a_daemon()
    before = ask("images")
    begin_a_blend(STEPS)
    kill_the_plug_in()
    open_entry("Blend Layers and Prompts")
    wait_for("the offer", lambda: READY in text_of(), STARTING)
    shot("offer")
    press("Open")
    wait_for("the word", lambda: says(f"Here it is: Kandinsky: {TITLE}"))
    check(layers(), [f"Kandinsky: {TITLE}", *before[0][:-1]])
    shot("opened")
    undo()
    wait_for("the undo", lambda: ask("images") == before)


def test_a_job_that_still_runs_is_shown_and_can_be_discarded():
    begin_with_a_daemon()
    begin_a_blend(1000)
    kill_the_plug_in()
    open_entry("Blend Layers and Prompts")
    wait_for("the offer", lambda: says(f"A picture from an earlier session is still being made: {TITLE}\nDenoising"))
    check(is_shown("Open"), False)
    shot("still-running")
    press("Discard")
    wait_for("the bar to go", lambda: not is_shown("Discard"))


def test_gimps_own_cancel_kills_the_plug_in_and_the_picture_is_offered():
    begin_with_a_daemon()
    set_up_a_blend(STEPS)
    press("Generate")
    wait_for("the picture", lambda: says("Done in"), STARTING)
    close_the_dialog()
    undo()
    before = ask("images")
    keys("key", "ctrl+f")  # the same again, with GIMP's own progress
    (cancel,) = wait_for("GIMP's Cancel", gimps_cancel)
    wait_for("its job", jobs_of_the_daemon)  # the progress began with the reading of layers
    shot("gimps-progress")
    assert plug_in_runs()
    cancel.do_action(0)
    wait_for("the plug-in to end", lambda: not plug_in_runs())
    check(ask("images"), before)
    open_entry("Blend Layers and Prompts")
    wait_for("the offer", lambda: READY in text_of(), STARTING)
    press("Open")
    wait_for("the word", lambda: says("Here it is"))
    check(layers(), [f"Kandinsky: {TITLE}", *before[0][:-1]])


def jobs_of_the_daemon():
    """The files of those that have not ended."""
    return list(paths.state_folder(paths.default_address()).rglob("*.request"))


def gimps_cancel():
    """The button in the status bar, once the progress of the plug-in is there."""
    buttons = find("Cancel", ROLE.PUSH_BUTTON, "gimp")
    return [button for button in buttons if button.get_state_set().contains(SENSITIVE)]


def test_stop_asks_when_a_picture_is_being_made_and_stops():
    begin_with_a_daemon()
    begin_a_blend(1000)
    open_entry("Daemon Status")
    wait_for("the job", lambda: says("Pictures that wait or are being made: 1"))
    press_stop_in_the_status()
    wait_for("the question", lambda: says("Pictures that it has yet to finish, and would give up: 1"))
    shot("stop-asks")
    press("Stop the Daemon")
    wait_for("its end", lambda: says("Not running"))
    wait_for("the dialog to be told", lambda: not says("Denoising"))


def test_a_daemon_that_is_killed_is_told_and_the_picture_is_made_all_the_same():
    begin_with_a_daemon()
    begin_a_blend(STEPS)
    os.kill(daemon_process(), signal.SIGKILL)
    wait_for("the word", lambda: says("The daemon has gone."))
    shot("gone")
    press("Go On")
    wait_for("the picture", lambda: says("Done in"), STARTING)
    check(layers()[0], f"Kandinsky: {TITLE}")


def daemon_process():
    return running_daemon().pid


def press_stop_in_the_status():
    (stop,) = [button for button in find("Stop", ROLE.PUSH_BUTTON, "kandinsky") if is_in(button, STATUS)]
    stop.do_action(0)


def test_the_dialog_that_was_open_starts_another_daemon():
    begin_with_a_daemon()
    set_up_a_blend(3)
    press("Generate")
    wait_for("the picture", lambda: says("Done in"), STARTING)
    open_status("Running for")
    press_stop_in_the_status()
    wait_for("its end", has_stopped)
    press("Generate")
    wait_for("its start", lambda: not says("Done in"))
    wait_for("the picture", lambda: says("Done in"), STARTING)
    wait_for("the state", lambda: says("Running for"))


def has_stopped():
    """The status asks first where its last look at the daemon is older than the picture's end."""
    for button in find("Stop the Daemon", ROLE.PUSH_BUTTON):
        button.do_action(0)
    return says("Not running")


def test_where_gimp_cannot_start_one_the_line_can_be_copied():
    begin_without_a_daemon()
    elsewhere = PROGRAM.rename(PROGRAM.with_name("elsewhere"))
    try:
        copy_the_line()
        generate_in_vain()
    finally:
        elsewhere.rename(PROGRAM)


def copy_the_line():
    open_entry("Daemon Status")
    wait_for("the reason", lambda: says(f"GIMP cannot start the daemon: the program {PROGRAM} is not there."))
    check(is_sensitive("Start"), False)
    shot("by-hand")
    press("Copy")
    clipboard = Gtk.Clipboard.get(Gdk.SELECTION_CLIPBOARD)
    wait_for("the line", lambda: clipboard.wait_for_text() == "python3 install gimp")


def generate_in_vain():
    """The advice is of a program that is there."""
    set_up_a_blend(3)
    press("Generate")
    (said,) = wait_for("the reason", lambda: says("No daemon runs, and GIMP cannot start one: "))
    shot("no-program")
    assert said.endswith("Run `python3 install gimp` again in the project's folder"), said


def test_a_full_disk_is_told_and_a_picture_that_cannot_be_written_down_is_made_all_the_same():
    begin_with_a_daemon()
    set_up_a_blend(3)
    with a_full_disk():
        press("Generate")
        wait_for("the reason", lambda: [text for text in text_of() if "the disk is full" in text])
        shot("full-disk")
    pending = HOME / "pending-jobs"
    shutil.rmtree(pending, ignore_errors=True)
    pending.touch()  # where the folder of what is written down would be
    try:
        press("Generate")
        (said,) = wait_for("the picture", lambda: says("Done in"), STARTING)
    finally:
        pending.unlink()
    shot("not-written-down")
    assert f"{pending} cannot be written" in said, said


@contextlib.contextmanager
def a_full_disk():
    """Fill what room the data folder has: see Editor.home_bytes."""
    rest = HOME / "rest"
    try:
        with rest.open("wb", buffering=0) as file, contextlib.suppress(OSError):
            while True:
                file.write(bytes(2**12))
        yield
    finally:
        rest.unlink()


if __name__ == "__main__":
    report(globals())
