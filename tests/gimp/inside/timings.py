"""What an artist waits for, measured beside a GIMP with a window: seconds of each repetition, into timings.json.

Not a test: tests/benchmarks/gimp.py runs it.
"""

import json
import subprocess
import time

from tests.gimp.inside.window import (
    FOLDER,
    PATIENCE,
    ROLE,
    ask,
    find,
    gimp_window,
    keys,
    one,
    press,
    report,
    search_entry,
    spin,
    starting,
    wait_for,
)

REPETITIONS = 5
LOOK = 0.003  # s between looks
TITLE = "^Blend Layers and Prompts$"

timings = {"menu": [], "feedback": [], "job": [], "stop": []}


def is_open():
    return subprocess.run(["xdotool", "search", "--onlyvisible", "--name", TITLE], capture_output=True).returncode == 0


def soon(look):
    """Wait for what `look` looks for, looking often."""
    deadline = time.monotonic() + PATIENCE
    while not look():
        assert time.monotonic() < deadline, f"waited {PATIENCE:g} s in vain"
        time.sleep(LOOK)


def open_dialog():
    search_entry("Blend Layers and Prompts")
    started = time.monotonic()
    keys("key", "Return")
    soon(is_open)
    timings["menu"].append(time.monotonic() - started)
    one("Generate", ROLE.PUSH_BUTTON)


def status_line():
    """The label that tells how the last job ended; it is empty while another one runs."""
    return wait_for("the end of the job", lambda: starting("Done in") or starting("Stopped"))[0]


def clicked(button):
    """A moment, and the button pressed in it."""
    started = time.monotonic()
    button.do_action(0)
    return started


def test_menu_to_dialog():
    ask("large_image")
    gimp_window()
    for repetition in range(REPETITIONS):
        open_dialog()
        if repetition < REPETITIONS - 1:
            press("Close")
            wait_for("the dialog to close", lambda: not is_open())


def test_generate_to_feedback_and_to_the_layer():
    for name, value in (("Steps", 4), ("Prior steps", 2), ("Seed", 7)):
        spin(name, value)
    press("Generate")  # the first job loads the model
    line = status_line()
    (generate,) = find("Generate", ROLE.PUSH_BUTTON)
    for seed in range(REPETITIONS):
        spin("Seed", seed)  # or the daemon has it all in its cache
        time.sleep(0.5)
        started = clicked(generate)
        soon(lambda: not line.get_name().startswith("Done in"))
        timings["feedback"].append(time.monotonic() - started)  # its row is shown at the same moment
        soon(lambda: line.get_name().startswith("Done in"))
        timings["job"].append(time.monotonic() - started)


def test_stop():
    end = status_line()
    (generate,) = find("Generate", ROLE.PUSH_BUTTON)
    spin("Steps", 1000)
    for _ in range(REPETITIONS):
        generate.do_action(0)
        wait_for("a step", lambda: starting("Denoising, step"))
        started = clicked(one("Stop", ROLE.PUSH_BUTTON))
        soon(lambda: end.get_name().startswith("Stopped"))
        timings["stop"].append(time.monotonic() - started)


if __name__ == "__main__":
    report(globals())
    (FOLDER / "timings.json").write_text(json.dumps(timings))
