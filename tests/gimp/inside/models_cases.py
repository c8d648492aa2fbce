"""The window of models: the full model is fetched, drawn with and removed, without a shell."""

import time

from tests.gimp.inside.loop_watch import holds
from tests.gimp.inside.window import (
    ROLE,
    check,
    close_the_dialog,
    find,
    is_shown,
    open_entry,
    press,
    report,
    shot,
    start_anew,
    starting,
    text_of,
    wait_for,
)

FULL = "kandinsky-2-1"
LONGEST_HOLD = 0.3  # s, of the dialog's main loop, on a busy machine
SMALL = "This small model draws nothing but coloured shapes."


def can_press(name):
    return [button for button in find(name, ROLE.PUSH_BUTTON) if is_shown(button)]


def open_models():
    start_anew()
    open_entry("Text to Image")
    wait_for("the small model says what it cannot do", lambda: SMALL in text_of())
    shot("models-dialog")
    press("Get the Full Model...")
    wait_for("what can be fetched is told", lambda: starting("Not on the disk: a download of about 13.0 GB"))


def test_the_full_model_is_fetched_drawn_with_and_removed():
    open_models()
    shot("models-absent")
    began = time.monotonic()
    press(f"Fetch: {FULL}")
    wait_for("its progress is shown", lambda: starting("Downloading the model, "))
    shot("models-fetching")
    wait_for("it can draw", lambda: can_press(f"Draw with It: {FULL}"))
    press(f"Draw with It: {FULL}")
    shot("models-here")
    press(f"Remove: {FULL}")
    wait_for("it is asked first", lambda: find("Keep It", ROLE.PUSH_BUTTON))
    shot("models-question")
    press("Remove the Model")
    wait_for("it is gone", lambda: starting("Not on the disk: a download of about 13.0 GB"))
    shot("models-removed")
    check([length for length in holds(began) if length > LONGEST_HOLD], [])
    close_the_dialog()


if __name__ == "__main__":
    report(globals())
